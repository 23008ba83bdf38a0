"""Gateways that know each other: who is where, requests that another one answers, and what goes on when one is gone."""
