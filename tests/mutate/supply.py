"""The supply chain, and parsers of foreign bytes that raise what nobody expects."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

GUARDS = "monitor/tap/rtp/guards.py"
RELEASE = ".ci/release_check.py"
OF_GUARDS = "tests/monitor/tap/rtp/test_guards.py"
OF_SUPPLY = "tests/test_supply.py"
FUZZ = "tests/fuzz/test_fuzz.py::test_only_documented_errors_come_out"

MUTATIONS = (
    Mutation(
        "runtimes are not silenced",
        "engines/__init__.py",
        "\nswitch_off()\n",
        "\n",
        ("tests/engines/test_telemetry.py::test_no_runtime_tells_anybody_anything",),
    ),
    Mutation(
        "OpenVINO sends statistics",
        "engines/telemetry.py",
        "    sys.modules.setdefault(OPENVINO_PACKAGE, None)  # type: ignore[arg-type]\n",
        "",
        ("tests/engines/test_telemetry.py::test_no_runtime_tells_anybody_anything",),
    ),
    Mutation(
        "ONNX Runtime collects statistics",
        "engines/telemetry.py",
        '    os.environ.setdefault(ONNX_RUNTIME_VARIABLE, "1")\n',
        "",
        ("tests/engines/test_telemetry.py::test_no_runtime_tells_anybody_anything",),
    ),
    Mutation(
        "a garbled STUN message of a stranger raises",
        GUARDS,
        "    except Exception:\n        # An attribute of the wrong length",
        "    except ValueError:\n        # An attribute of the wrong length",
        (f"{OF_GUARDS}::test_what_is_stun", f"{OF_GUARDS}::test_no_check_of_whoever_it_may_be_breaks_the_loop", FUZZ),
    ),
    Mutation(
        "what aioice cannot make sense of raises",
        GUARDS,
        "            except Exception:\n                # A check of somebody",
        "            except TimeoutError:\n                # A check of somebody",
        (f"{OF_GUARDS}::test_no_check_of_whoever_it_may_be_breaks_the_loop",),
    ),
    Mutation(
        "a decoder that was taken over says what is no number",
        "monitor/tap/clip_wire.py",
        "            if not np.isfinite(samples).all():\n",
        "            if False:\n",
        ("tests/monitor/tap/test_clip_wire.py::test_samples_are_numbers", FUZZ),
    ),
    Mutation(
        "the image installs by version only",
        "Dockerfile",
        "RUN /opt/sidewitness/bin/pip install --require-hashes -r",
        "RUN /opt/sidewitness/bin/pip install -r",
        (f"{OF_SUPPLY}::test_the_image_installs_by_hash_and_fetches_nothing_else",),
    ),
    Mutation(
        "the health check asks the public port",
        "Dockerfile",
        "{load().health_port}",
        "{load().port}",
        (f"{OF_SUPPLY}::test_the_health_check_asks_the_listener_of_health_wherever_it_is",),
    ),
    Mutation(
        "the image runs as root",
        "Dockerfile",
        "USER 10001\n",
        "",
        (f"{OF_SUPPLY}::test_the_image_runs_as_nobody_in_particular",),
    ),
    Mutation(
        "a release may have a tag for its base",
        RELEASE,
        "    if not release.is_development:\n        raise NotReadyError(f\"the Dockerfile's base",
        "    if False:\n        raise NotReadyError(f\"the Dockerfile's base",
        (f"{OF_SUPPLY}::test_a_release_with_a_base_by_its_tag_is_refused",),
    ),
    Mutation(
        "a release is not asked for its base",
        RELEASE,
        "    check_image,\n",
        "",
        (f"{OF_SUPPLY}::test_a_release_is_held_to_all_of_it",),
    ),
    Mutation(
        "no answer about vulnerabilities is a good one",
        ".ci/audit.py",
        "if answer is None or not answer.known:",
        "if answer is None:",
        (f"{OF_SUPPLY}::test_no_answer_is_told_and_never_taken_for_a_good_one",),
    ),
    Mutation(
        "the unit may raise its privileges",
        "examples/sidewitness.service",
        "NoNewPrivileges=yes\n",
        "",
        (f"{OF_SUPPLY}::test_the_unit_takes_rights_away",),
    ),
)
