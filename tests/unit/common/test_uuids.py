"""UUIDs in the spellings that files have."""

import uuid

import pytest

from importer.common.uuids import canonical_uuid, uuid_bytes, uuid_text
from tests.support.data import conversation

ID = conversation(1)


@pytest.mark.parametrize(
    "text",
    ["{}", "{{{}}}", "urn:uuid:{}", "URN:UUID:{}"],
)
def test_ids_are_accepted_in_every_usual_spelling(text: str) -> None:
    for spelling in (ID, ID.upper(), ID.replace("-", "")):
        assert canonical_uuid(text.format(spelling)) == ID == str(uuid.UUID(spelling))


def test_they_are_sixteen_bytes() -> None:
    assert uuid_bytes(ID) == uuid.UUID(ID).bytes
    assert uuid_text(uuid_bytes(ID)) == ID


@pytest.mark.parametrize("around", [" ", "\t", "\u00a0", "\u200b", "\ufeff", "\u2060 \u200e"])
def test_what_nobody_sees_around_an_id_is_not_part_of_it(around: str) -> None:
    assert canonical_uuid(around + ID) == canonical_uuid(ID.upper() + around) == ID
    assert canonical_uuid(ID[:10] + around + ID[10:]) is None
