"""What of an OpenAPI document breaks clients that were made from an older one.

Removed are paths, operations, names of operations, parameters, statuses of success and fields of answers; demanded are new parameters,
fields and bodies that have to be given; narrowed are types and choices of what is sent, and widened those of what comes back.
"""

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
_DEEPEST = 12


def breaking(old, new):
    """Every change from `old` to `new` that breaks clients, in words."""
    return sorted(set(_paths(old, new)))


def _paths(old, new):
    for path, operations in old.get("paths", {}).items():
        now = new.get("paths", {}).get(path)
        if now is None:
            yield f"{path}: the path is gone"
            continue
        for method in _METHODS:
            if method not in operations:
                continue
            where = f"{method.upper()} {path}"
            if method not in now:
                yield f"{where}: the operation is gone"
                continue
            yield from _operation(where, operations[method], now[method], old, new)


def _operation(where, one, other, old, new):
    if one.get("operationId") != other.get("operationId"):
        yield f"{where}: its name was {one.get('operationId')} and is {other.get('operationId')}"
    yield from _parameters(where, one, other, old, new)
    yield from _body(where, one, other, old, new)
    for status, response in one.get("responses", {}).items():
        if not status.startswith("2"):
            continue
        if status not in other.get("responses", {}):
            yield f"{where}: it no longer answers {status}"
            continue
        now = other["responses"][status].get("content", {})
        for kind, content in response.get("content", {}).items():
            if kind not in now:
                yield f"{where}: {status} is no longer {kind}"
            else:
                yield from _answered(
                    f"{where}: {status}", content.get("schema", {}), now[kind].get("schema", {}), old, new
                )


def _parameters(where, one, other, old, new):
    before = {(each["in"], each["name"]): each for each in one.get("parameters", [])}
    after = {(each["in"], each["name"]): each for each in other.get("parameters", [])}
    for key, each in before.items():
        if key not in after:
            yield f"{where}: the {key[0]} parameter {key[1]} is gone"
        else:
            yield from _sent(f"{where}: {key[1]}", each.get("schema", {}), after[key].get("schema", {}), old, new)
    for key, each in after.items():
        if each.get("required") and not before.get(key, {}).get("required"):
            yield f"{where}: the {key[0]} parameter {key[1]} has to be given now"


def _body(where, one, other, old, new):
    before, after = one.get("requestBody") or {}, other.get("requestBody") or {}
    if after.get("required") and not before.get("required"):
        yield f"{where}: a body has to be sent now"
    for kind, content in before.get("content", {}).items():
        now = after.get("content", {}).get(kind)
        if now is None:
            yield f"{where}: it no longer takes {kind}"
        else:
            yield from _sent(f"{where}: body", content.get("schema", {}), now.get("schema", {}), old, new)


def _resolved(schema, document):
    for _ in range(_DEEPEST):
        reference = schema.get("$ref")
        if reference is None:
            return schema
        schema = document["components"]["schemas"][reference.rsplit("/", 1)[1]]
    return schema


def _types(schema, document):
    """What kinds of values a schema lets through; nothing when it does not say."""
    schema = _resolved(schema, document)
    parts = schema.get("anyOf") or schema.get("oneOf")
    if parts:
        found = [_types(part, document) for part in parts]
        return set().union(*found) if all(found) else set()
    kind = schema.get("type")
    return {kind} if isinstance(kind, str) else set(kind or ())


def _choices(schema, document):
    schema = _resolved(schema, document)
    if "const" in schema:
        return {str(schema["const"])}
    return {str(one) for one in schema["enum"]} if "enum" in schema else None


def _parts(schema, document):
    """The schema itself and those of which it may be one."""
    schema = _resolved(schema, document)
    return [schema, *(_resolved(part, document) for part in schema.get("anyOf", schema.get("oneOf", ())))]


def _properties(schema, document):
    found, needed = {}, set()
    for part in _parts(schema, document):
        found |= part.get("properties", {})
        needed |= set(part.get("required", ()))
    return found, needed


def _items(schema, document):
    return next((part["items"] for part in _parts(schema, document) if isinstance(part.get("items"), dict)), None)


def _sent(where, one, other, old, new, depth=0):
    """What clients send has to be taken still."""
    if depth > _DEEPEST:
        return
    before, after = _types(one, old), _types(other, new)
    if after and (not before or before - after):
        yield f"{where}: of what was taken, only {', '.join(sorted(after))} is"
    chosen, choices = _choices(one, old), _choices(other, new)
    if choices is not None and (chosen is None or chosen - choices):
        yield f"{where}: only {', '.join(sorted(choices))} is taken now"
    for bound, tighter in (
        ("maxLength", min),
        ("maximum", min),
        ("maxItems", min),
        ("minLength", max),
        ("minimum", max),
    ):
        was, now = _resolved(one, old).get(bound), _resolved(other, new).get(bound)
        if now is not None and (was is None or (now != was and tighter(now, was) == now)):
            yield f"{where}: {bound} is {now} now"
    fields, needed = _properties(one, old)
    now, demanded = _properties(other, new)
    for name, field in fields.items():
        if name not in now:
            yield f"{where}: the field {name} is no longer taken"
        else:
            yield from _sent(f"{where}.{name}", field, now[name], old, new, depth + 1)
    for name in demanded - needed:
        yield f"{where}: the field {name} has to be given now"
    if (first := _items(one, old)) is not None and (second := _items(other, new)) is not None:
        yield from _sent(f"{where}[]", first, second, old, new, depth + 1)


def _answered(where, one, other, old, new, depth=0):
    """What clients read has to be there still."""
    if depth > _DEEPEST:
        return
    before, after = _types(one, old), _types(other, new)
    if before and (not after or after - before):
        yield f"{where}: it was {', '.join(sorted(before))} and may be something else"
    fields, promised = _properties(one, old)
    now, still = _properties(other, new)
    for name, field in fields.items():
        if name not in now:
            yield f"{where}: the field {name} is gone"
        else:
            yield from _answered(f"{where}.{name}", field, now[name], old, new, depth + 1)
    for name in (promised - still) & now.keys():
        yield f"{where}: the field {name} may be missing now"
    if (first := _items(one, old)) is not None and (second := _items(other, new)) is not None:
        yield from _answered(f"{where}[]", first, second, old, new, depth + 1)
