"""The second driver: functions that ask for their steps themselves, over the same runtime port and the same journal."""
