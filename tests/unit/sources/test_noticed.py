"""Comments whose letters are lost are told apart from those that are right."""

import pytest

from importer.sources.noticed import Noticed, may_be_garbled

ONCE_UTF8 = (
    "Öffnungszeiten|GRÖSSE|Ä|Ö|Ü|É|€|Ärger|Übung|École|Ça va|DÉJÀ VU|À la carte"
    "|für 10 €|it’s|“so”|Là|naïf"
    "|10 °|né – oui|łódź|żółć|škoda|ĄĘ|ÑANDÚ|kız|привет|Ελλάδα|שלום|مرحبا|日本語|你好|안녕"
    "|Việt Nam|→|✅|😀|™|≥ 5"
)
RIGHT = (
    "Ã|â|“Ã”|Ça été|château|l’âne|« voilà\u00a0»|« activité\u00a0»|CAFÉ\u00a0!|À\u00a0la carte"
    "|“IRMÃ”|AMANHÃ…|É… não sei|“É” quer|ESPAÑA|NESCAFÉ® ok|Nescafé™ ”|Spaß“|Spaß”|Fuß…|„JÄ“|«Ä»"
    "|2×½|Ø\u00a05 mm|VÝŠKA LÍŠKA|uslyšíš…|kníž”|«olá»…|café´s|naïf…»|m²|à\u00a0€5|ÄÖÜ|привет|日本"
    "|No sé…¿por qué?|así…¡gracias!|sí”¿y tú?|sí¡¿qué?|café’«x»|voilà…«merci»|Ä…Ö…|«À»«É»|ALEMÃ’S"
    "|AMANHÃ…mas|IRMÃ”e|2×½×¼"
)


@pytest.mark.parametrize("read_as", ["cp1252", "latin-1"])
def test_utf8_that_was_read_in_another_encoding_is_noticed(read_as: str) -> None:
    for text in ONCE_UTF8.split("|"):
        # What cp1252 lacks most programs read as controls.
        letters = [bytes([byte]) for byte in text.encode()]
        comment = "".join(one.decode(read_as, "ignore") or chr(one[0]) for one in letters)
        noticed = Noticed()
        noticed.see_letters(f"so {comment} it was")
        assert noticed.garbled == 1, text
        assert may_be_garbled(comment.encode()), text


def test_letters_that_are_right_are_no_alarm() -> None:
    for text in RIGHT.split("|"):
        noticed = Noticed()
        noticed.see_letters(text)
        assert not noticed.garbled, text
