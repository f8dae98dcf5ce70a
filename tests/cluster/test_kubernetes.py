#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples/cluster/job.yaml: its fields agree with each other, and its command, run as the pods of all
indices, makes a list.

test_kubernetes.py EBB TESTS_FOLDER EXAMPLES_FOLDER
"""

import os
import re
import subprocess
import sys
import tempfile

try:
    import yaml
except ImportError:
    print("1..0 # SKIP there is no PyYAML here (Debian: python3-yaml)")
    sys.exit(0)

try:
    import kubernetes_validate
except ImportError:
    kubernetes_validate = None  # PyPI has it

count = failed = 0


def ok(condition, what, detail=""):
    global count, failed
    count += 1
    failed += not condition
    print(
        ("ok" if condition else "not ok") + f" {count} - {what}" + (f"\n# {detail}" if not condition else "")
    )


def follows_the_schema(job):
    """Whether the API server of a Kubernetes would take it, unknown fields refused."""
    try:
        kubernetes_validate.validate(job, "1.30", strict=True)
    except kubernetes_validate.ValidationError as error:
        print(f"# {error}")
        return False
    return True


def main():
    ebb, tests, examples = (os.path.abspath(path) for path in sys.argv[1:4])
    with open(f"{examples}/cluster/job.yaml", encoding="utf-8") as file:
        job = yaml.safe_load(file)
    pod = job["spec"]["template"]["spec"]
    container = pod["containers"][0]
    parts = job["spec"]["completions"]
    if kubernetes_validate:
        ok(follows_the_schema(job), "it follows the schema of Kubernetes 1.30")
    ok((job["apiVersion"], job["kind"]) == ("batch/v1", "Job"), "it is a Job")
    ok(job["spec"]["completionMode"] == "Indexed", "with an index for each pod")
    ok(pod["restartPolicy"] in ("OnFailure", "Never"), "with a restart policy that a Job may have")
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    ok(set(mounts) == {volume["name"] for volume in pod["volumes"]}, "what is mounted is a volume of the pod")
    with tempfile.TemporaryDirectory() as folder:
        command = container["args"][0].replace(mounts["sounds"] + "/", folder + "/")
        ok(re.search(rf"\)\)/{parts}\"", command), "the number of parts is that of completions", command)
        with open(f"{folder}/sounds.csv", "w", encoding="utf-8") as file:
            file.write("label\n" + "rain\nkick\nbell\n" * 4)
        path = os.path.dirname(ebb) + ":" + os.environ["PATH"]
        tiny = " --model tiny-sfx --device cpu --phase-iterations 1"
        for index in range(parts):
            environment = {**os.environ, "PATH": path, "JOB_COMPLETION_INDEX": str(index)}
            environment["EBB_MODEL_PATH"] = f"{tests}/models"
            run = subprocess.run(
                [*container["command"], command + tiny],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            ok(run.returncode == 0, f"the pod of index {index}", run.stderr)
        made = [name for name in os.listdir(f"{folder}/out") if name.endswith(".wav")]
        ok(len(made) == 12, "all pods make the whole list", made)
    print(f"1..{count}")
    return failed > 0


sys.exit(main())
