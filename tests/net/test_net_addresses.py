"""Which addresses are public, by our own table."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.core.errors import InputError, PolicyError, WeftError
from weft.net.addresses import classify
from weft.net.egress import EgressPolicy, check_base_url, check_url

NEVER = [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "169.254.0.1",
    "0.0.0.0",
    "0.1.2.3",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "255.255.255.255",
    "240.0.0.1",
    "::",
    "fe80::1",
    "ff02::1",
    "fd00:ec2::254",
    "2001:0:53aa:64c::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "2001:db8::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "64:ff9b:1::1",
    "64:ff9b::a9fe:a9fe",
    "::ffff:169.254.169.254",
    "4000::1",
]


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_reachable(address):
    assert classify(ip_address(address)).reach == "never"


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.255.255", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("64:ff9b::7f00:1", "loopback"),
        ("10.1.2.3", "private"),
        ("172.31.0.1", "private"),
        ("192.168.0.1", "private"),
        ("100.64.0.1", "private"),
        ("fc00::1", "private"),
        ("fec0::1", "private"),
        ("::ffff:10.0.0.1", "private"),
        ("8.8.8.8", "public"),
        ("172.32.0.1", "public"),
        ("100.128.0.1", "public"),
        ("2606:4700:4700::1111", "public"),
        ("2001:4860:4860::8888", "public"),
        ("64:ff9b::808:808", "public"),
    ],
)
def test_other_addresses_reach_as_far_as_their_block(address, reach):
    assert classify(ip_address(address)).reach == reach


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_alike_when_ipv6_carries_it(address: IPv4Address):
    mapped = IPv6Address((0xFFFF << 32) | int(address))
    translated = IPv6Address((0x64FF9B << 96) | int(address))
    assert classify(mapped) == classify(address) == classify(translated)


NAT64 = ip_network("64:ff9b::/96")


@given(st.ip_addresses())
def test_nothing_is_public_here_that_the_standard_library_calls_private(address):
    # NAT64 is the one block that means what the address inside means.
    nat64 = address.version == 6 and address in NAT64
    if not nat64 and (address.is_private or address.is_link_local):
        assert classify(address).reach != "public"


STRICT = EgressPolicy()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost:8080/",
        "http://LOCALHOST./",
        "http://a.localhost/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.0.1./",
        "http://0x7f.0.0.0x1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[0:0:0:0:0:ffff:7f00:1]/",
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[fd00:ec2::254]/",
        "http://0/",
        "http://0.0.0.0:80/",
        "http://10.0.0.1/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://user@example.com/",
        "http://user:pass@example.com/",
        "http://example.com@127.0.0.1/",
    ],
)
def test_addresses_that_lead_inside_are_denied_by_their_text(url):
    with pytest.raises(PolicyError) as caught:
        check_url(url, STRICT)
    assert caught.value.fix


@pytest.mark.parametrize(
    "url",
    [
        "",
        " http://example.com/",
        "http://",
        "http:///path",
        "http://exa mple.com/",
        "http://example.com\\@127.0.0.1/",
        "http://example.com/\r\nHost: evil",
        "http://ex%61mple.com/",
        "http://example..com/",
        "http://example.com:99999/",
        "http://example.com:0/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://-a.example/",
        "http://" + "a" * 300 + "/",
        "http://example.com/" + "a" * 9000,
    ],
)
def test_what_is_no_address_is_refused_as_input(url):
    with pytest.raises(InputError):
        check_url(url, STRICT)


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("HTTPS://Example.COM", "https://example.com/"),
        ("https://example.com:443/a?b=c#d", "https://example.com/a?b=c"),
        ("http://example.com:8080/x y", "http://example.com:8080/x y"),
        ("http://8.8.8.8/", "http://8.8.8.8/"),
        ("http://[2606:4700:4700::1111]:81/", "http://[2606:4700:4700::1111]:81/"),
        ("https://b\u00fccher.example/", "https://xn--bcher-kva.example/"),
    ],
)
def test_an_allowed_address_is_given_back_in_normal_form(url, normal):
    assert check_url(url, STRICT).url == normal


@given(st.text(max_size=60))
def test_reading_an_address_ends_in_a_target_or_an_error_of_ours(text):
    for url in (text, f"http://{text}", f"http://example.com/{text}"):
        try:
            target = check_url(url, STRICT)
        except WeftError:
            continue
        assert check_url(target.url, STRICT) == target


def test_settings_open_loopback_and_private_networks_separately():
    check_url("http://127.0.0.1/", EgressPolicy(allow_loopback=True))
    check_url("http://10.0.0.1/", EgressPolicy(allow_private=True))
    with pytest.raises(PolicyError, match="10.0.0.1") as caught:
        check_url("http://10.0.0.1/", EgressPolicy(allow_loopback=True))
    assert "net.allow_private" in caught.value.fix
    with pytest.raises(PolicyError) as caught:
        check_url("http://127.0.0.1/", EgressPolicy(allow_private=True))
    assert "net.allow_loopback" in caught.value.fix


def test_no_setting_opens_metadata_services():
    policy = EgressPolicy(allow_loopback=True, allow_private=True)
    for host in ("169.254.169.254", "[fd00:ec2::254]", "100.100.100.200", "0.0.0.0"):
        with pytest.raises(PolicyError, match="denied"):
            check_url(f"http://{host}/", policy)


def test_allowed_domains_match_on_label_borders():
    policy = EgressPolicy(allowed_domains=("Example.com", "*.weft.dev"))
    for host in ("example.com", "api.example.com", "EXAMPLE.com.", "a.weft.dev"):
        check_url(f"https://{host}/", policy)
    for host in ("badexample.com", "example.com.evil.org", "example.org", "8.8.8.8"):
        with pytest.raises(PolicyError, match="allowed domains"):
            check_url(f"https://{host}/", policy)


def test_blocked_patterns_are_searched_in_the_whole_address():
    policy = EgressPolicy(blocked_patterns=(r"/admin\b", r"^http:"))
    check_url("https://example.com/administration", policy)
    for url in ("https://example.com/admin?x", "http://example.com/"):
        with pytest.raises(PolicyError, match="blocked pattern"):
            check_url(url, policy)


def test_a_broken_pattern_is_refused_at_once():
    with pytest.raises(InputError, match="regular expression"):
        EgressPolicy(blocked_patterns=("(",))


def test_a_base_url_has_neither_query_nor_fragment():
    assert check_base_url("https://api.example.com/v1/", STRICT) == "https://api.example.com/v1"
    assert check_base_url("https://api.example.com", STRICT) == "https://api.example.com"
    for url in ("https://api.example.com/?a=b", "https://api.example.com/#x"):
        with pytest.raises(InputError):
            check_base_url(url, STRICT)
    with pytest.raises(PolicyError):
        check_base_url("http://localhost:11434", STRICT)
