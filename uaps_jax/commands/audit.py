"""Audits a dataset before training."""

from __future__ import annotations

import dataclasses
import json

from absl import logging

from uaps_jax.commands import opening
from uaps_jax.commands.request import USER_ERRORS, Request, training_config
from uaps_jax.data import audit as auditing
from uaps_jax.data import survey
from uaps_jax.reports import audit_page
from uaps_jax.training import workdir


def audit(request: Request) -> None:
    """Audits a dataset before training: a report, `audit.html` with pictures, `audit.json`.

    Raises:
      DataError, ConfigError: training could not start; the report says why.
    """
    given = training_config(request, "audit")
    file = request.workdir / "audit.html"
    name = given.data.name
    try:
        config, dataset = opening.open_dataset(given)
        parts = opening.trainable(config, dataset).split
    except USER_ERRORS as error:
        workdir.write_report(file, audit_page.render_refusal(name, error))
        logging.info("the same as a page: %s", file)
        raise
    measurements = survey.survey(dataset)
    page = audit_page.Page(
        title=name,
        dataset=dataset,
        survey=measurements,
        findings=auditing.audit(dataset, measurements, parts, config.data),
        split=parts,
        protocol=config.data.protocol,
    )
    workdir.write_report(file, audit_page.render(page))
    details = [dataclasses.asdict(finding) for finding in page.findings]
    workdir.write_report(request.workdir / "audit.json", json.dumps(details, indent=1) + "\n")
    print(audit_page.text_report(page), flush=True)
    logging.info("with pictures: %s; with all names: %s", file, file.with_suffix(".json"))
