"""What a tenant has of its own, by the settings: everything that opens a store opens the tenant's."""

from __future__ import annotations

import json
import stat
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from typer.testing import CliRunner

from monitor.alerts.casework.store import Casework
from monitor.alerts.journal import Entry, Journal
from monitor.alerts.privacy.erasure import Participant, erase
from monitor.api.access.keyring import key_ring
from monitor.cli import app
from monitor.config import ConfigError, Settings, load
from monitor.identity.vault.consent import Consent
from monitor.identity.vault.open import open_vault
from monitor.storage.tenancy.names import DEFAULT_TENANT
from monitor.storage.tenancy.settings import load_of_tenant, of_tenant, prepare, tenants_of
from tests.monitor.alerts.build import finding

CONSENT = Consent("Jane Doe", date(2026, 1, 2), None, "protection", None)
POSTGRES = "postgresql+psycopg://sidewitness:hidden-away@db/sidewitness"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*Settings.model_fields, "tenant"):
        monkeypatch.delenv(f"SIDEWITNESS_{name.upper()}", raising=False)


def written(folder: Path, text: str) -> Settings:
    file = folder / "sidewitness.yaml"
    file.write_text(f"state_dir: {folder / 'state'}\n{text}")
    return load(file)


def test_a_tenant_has_stores_sinks_sources_policy_and_claims_of_its_own(tmp_path: Path) -> None:
    settings = written(
        tmp_path,
        "findings_days: 30\nanchor_dir: /anchors\nsinks: [{kind: jsonl, path: a}]\nclaims: {by_name: none}\n"
        "tenants:\n  acme:\n    sinks: [{kind: jsonl, name: theirs, path: b}]\n    policy: {groups: []}\n"
        "    sources: [{plugin: rtp, port: 1}]\n    cases_days: 7\n    max_participants: 2\n",
    )
    own = of_tenant(settings, "acme")
    assert own.state_dir == tmp_path / "state" / "tenants" / "acme"
    assert (own.journal_url, own.vault_url) == (
        f"sqlite:///{own.state_dir}/journal.sqlite",
        f"sqlite:///{own.state_dir}/vault.sqlite",
    )
    assert own.anchor_dir == Path("/anchors/tenants/acme")
    assert [sink.name for sink in own.sinks] == ["theirs"]
    assert [source.plugin for source in own.sources] == ["rtp"]
    assert (own.policy, own.claims.by_name, own.findings_days, own.cases_days) == ({"groups": []}, "full", 30, 7)
    # Tokens of all tenants are signed by one ring of keys, and say whose they are.
    assert key_ring(own).path == key_ring(settings).path == tmp_path / "state" / "tokens.key"
    assert of_tenant(settings, DEFAULT_TENANT) is settings
    assert tenants_of(settings)["acme"].max_participants == 2
    assert tenants_of(Settings(state_dir=tmp_path)) == {}


def test_on_postgresql_a_tenant_has_a_schema(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, database_url=SecretStr(POSTGRES), tenants={"acme-2": {}})
    own = of_tenant(settings, "acme-2")
    for url in map(sa.make_url, (own.journal_url, own.vault_url)):
        assert url.query == {"options": "-csearch_path=sidewitness_acme_2"}
        assert (url.database, url.password) == ("sidewitness", "hidden-away")
    elsewhere = Settings(state_dir=tmp_path, tenants={"acme": {"database_url": POSTGRES}})
    assert of_tenant(elsewhere, "acme").journal_url == POSTGRES
    on_sqlite = Settings(state_dir=tmp_path, database_url=SecretStr("sqlite:////one"), tenants={"acme": {}})
    assert "tenants/acme" in of_tenant(on_sqlite, "acme").journal_url


def test_on_a_server_tenants_have_nothing_in_common(tmp_path: Path, postgres_url: str) -> None:
    settings = Settings(state_dir=tmp_path, database_url=SecretStr(postgres_url), tenants={"acme": {}, "globex": {}})
    opened = {}
    for name in (DEFAULT_TENANT, "acme", "globex"):
        own = of_tenant(settings, name)
        # Again and again, as whoever starts does.
        for _ in range(2):
            prepare(own)
        journal = Journal(own.journal_url)
        journal.open()
        assert journal.append(finding(f"of-{name}")) == 1
        vault = open_vault(own)
        vault.store("Jane Doe", f"of {name}".encode(), CONSENT, "ops")
        opened[name] = journal, vault
    for name, (journal, vault) in opened.items():
        assert [row.finding.id for row in journal.read(0) if isinstance(row, Entry)] == [f"of-{name}"]
        assert vault.load("Jane Doe") == f"of {name}".encode()
        whom = Participant("board", "p1")
        receipt = erase(whom, "ops", journal, Casework(journal), vault)
        assert receipt is not None
        assert [line.action for line in vault.audit(2)] == ["findings_erased"]
        assert (receipt.findings, receipt.cleaned, journal.verify().faults) == ((f"of-{name}",), True, ())
        vault.close()
        journal.close()


@pytest.mark.parametrize("name", ["default", "Acme", "a_b", "-a", "a-", "a" * 33, "a/b", "..", ""])
def test_a_name_that_cannot_be_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="setting 'tenants'"):
        tenants_of(written(tmp_path, f"tenants: {{{json.dumps(name)}: {{}}}}\n"))


def test_what_is_written_wrong_is_told_and_no_secret_is(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tenants.acme.sink'"):
        tenants_of(written(tmp_path, "tenants: {acme: {sink: [secret]}}\n"))
    settings = written(tmp_path, f"tenants: {{acme: {{database_url: '{POSTGRES}'}}}}\n")
    assert "hidden-away" not in repr(settings) + repr(tenants_of(settings))
    with pytest.raises(ConfigError, match="there is no tenant 'globex'"):
        of_tenant(settings, "globex")
    many = ", ".join(f"t{number}: {{}}" for number in range(65))
    with pytest.raises(ConfigError, match="at most 64"):
        tenants_of(written(tmp_path, f"tenants: {{{many}}}\n"))
    with pytest.raises(ConfigError, match="check its form"):
        of_tenant(written(tmp_path, "database_url: nonsense\ntenants: {acme: {}}\n"), "acme")


def test_folders_are_their_owners(tmp_path: Path) -> None:
    written(tmp_path, "anchor_dir: " + str(tmp_path / "anchors") + "\ntenants: {acme: {}}\n")
    own = load_of_tenant(tmp_path / "sidewitness.yaml", "acme")
    for folder in (own.state_dir, own.state_dir.parent, own.anchor_dir):
        assert folder is not None
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be used"):
        prepare(own.model_copy(update={"state_dir": tmp_path / "file" / "x"}))


def test_a_command_is_about_the_tenant_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = written(tmp_path, "tenants: {acme: {}}\n")
    config = ["--config", str(tmp_path / "sidewitness.yaml"), "--json"]
    prepare(of_tenant(settings, "acme"))
    journal = Journal(of_tenant(settings, "acme").journal_url)
    journal.open()
    journal.append(finding("theirs"))
    journal.close()

    def listed(*before: str) -> list[str]:
        done = CliRunner().invoke(app, [*before, "findings", "list", *config], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return [row["id"] for row in json.loads(done.stdout)["findings"]]

    assert listed("--tenant", "acme") == ["theirs"]
    assert listed() == []
    report = ["findings", "report", "theirs", "--out", str(tmp_path / "report.html"), *config]
    assert CliRunner().invoke(app, ["--tenant", "acme", *report], catch_exceptions=False).exit_code == 0
    assert "<tr><td>Tenant</td><td>acme</td></tr>" in (tmp_path / "report.html").read_text()
    monkeypatch.setenv("SIDEWITNESS_TENANT", "acme")
    assert listed() == ["theirs"]
    # A token that is made for a tenant says so, and is in that tenant's register.
    create = ["tokens", "create", "--role", "admin", "--subject", "boss", *config]
    made = json.loads(CliRunner().invoke(app, create, catch_exceptions=False).stdout)
    claims = key_ring(settings).verify(made["token"])
    assert claims is not None
    assert claims["tenant"] == "acme"
    monkeypatch.delenv("SIDEWITNESS_TENANT")
    assert json.loads(CliRunner().invoke(app, ["tokens", "list", *config]).stdout)["tokens"] == []
    with pytest.raises(ConfigError, match="no tenant 'globex'"):
        CliRunner().invoke(app, ["--tenant", "globex", "findings", "list", *config], catch_exceptions=False)
