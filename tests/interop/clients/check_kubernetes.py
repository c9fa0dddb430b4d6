"""Hold each document of a manifest to the schema of the newest Kubernetes; print what is wrong with it, a line each."""

import sys
from pathlib import Path

import kubernetes_validate
import yaml

for document in yaml.safe_load_all(Path(sys.argv[1]).read_text("utf-8")):
    try:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    except kubernetes_validate.ValidationError as error:
        print(f"{document['kind']}: {error.message}")
