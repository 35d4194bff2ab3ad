from __future__ import annotations

import re

import pytest

from inference.samples import Modality
from models.errors import ManifestError, UnknownLabel
from models.taxonomy import Taxonomy, matches

TAXONOMY = Taxonomy.load()

DESIGN = """
porn.explicit porn.nudity porn.sexy porn.vulgar_act porn.toy porn.animated porn.moan porn.speech porn.text porn.solicit
minor.present minor.sexual minor.tip competitor.logo competitor.player_ui competitor.mention competitor.poach
competitor.url_qr banned_game.regulated banned_game.gambling banned_game.adult banned_game.gore banned_game.cheat
banned_game.map_polit gambling.scene gambling.promo drugs weapons controlled_blade smoking alcohol tattoo fraud.job
fraud.finance fraud.impersonate fraud.prize superstition illegal_finance ads.contact ads.divert ads.qr_code ads.url
ads.banner ads.boost ads.account_trade ads.blackmkt ads.recruit ads.adlaw politics.leader politics.symbol politics.map
politics.history politics.cult politics.sensitive_event politics.uniform politics.anthem politics.tainted_person
terror.org terror.flag violence.gore violence.fight abuse.insult abuse.hate abuse.threat abuse.provoke abuse.doxx
abuse.bully self_harm.act self_harm.intent danger.driving danger.stunt danger.height spam.flood spam.repeat
spam.meaningless spam.bot copyright.film copyright.sport copyright.music copyright.rebroadcast quality.black
quality.frozen quality.hangup quality.loop quality.mute synthetic.deepfake synthetic.aigc privacy.id privacy.address
privacy.screen custom.word custom.image custom.logo custom.audio
"""


def test_every_label_of_the_design_is_there():

    assert {label.code for label in TAXONOMY} == set(DESIGN.split())
    assert len(TAXONOMY.families) == 17


@pytest.mark.parametrize(
    ("code", "severity"),
    [("porn.speech", 3), ("porn.text", 2), ("minor.sexual", 4), ("gambling.promo", 4), ("abuse.provoke", 1), ("synthetic.aigc", 1)],
)
def test_labels_of_one_row_keep_their_own_severity(code, severity):
    assert TAXONOMY[code].severity == severity


def test_every_label_has_both_names_and_a_modality_of_ours():
    for label in TAXONOMY:
        assert re.search(r"[\u4e00-\u9fff]", label.zh), label
        assert label.en.isascii(), label
        assert label.modalities, label
        assert label.modalities <= set(Modality), label


def test_unknown_code_is_refused_with_the_nearest():
    with pytest.raises(UnknownLabel, match=r"unknown label 'porn.nudty'; nearest: porn.nudity"):
        TAXONOMY["porn.nudty"]
    with pytest.raises(UnknownLabel, match=r"'contraband.drugs'; nearest: drugs"):
        TAXONOMY["contraband.drugs"]


def test_check_says_where_the_unknown_code_stands():
    TAXONOMY.check(["ads.url", "drugs"], where="list.csv")

    with pytest.raises(UnknownLabel, match=r"list.csv: unknown label 'zzz'; families: porn"):
        TAXONOMY.check(["ads.url", "zzz"], where="list.csv")


@pytest.mark.parametrize(
    ("vendor", "name", "codes"),
    [
        ("Tencent", "sexy", {"porn.sexy"}),
        ("tencent", "Moan", {"porn.moan"}),
        ("shumei", "UNPOACH", {"competitor.poach"}),
        ("yidun", 210, {"ads.qr_code"}),
        ("yidun", "800", {"porn.vulgar_act"}),
        ("yidun", 415, {"banned_game.gambling"}),
    ],
)
def test_vendor_alias_of_one_label_finds_it(vendor, name, codes):
    assert {label.code for label in TAXONOMY.by_alias(vendor, name)} == codes


def test_vendor_alias_of_a_family_finds_the_labels_without_their_own():
    codes = {label.code for label in TAXONOMY.by_alias("tencent", "Porn")}

    assert "porn.explicit" in codes
    assert "porn.sexy" not in codes


@pytest.mark.parametrize("vendor", ["tencent", "nobody"])
def test_unknown_alias_is_refused(vendor):
    with pytest.raises(UnknownLabel, match="known"):
        TAXONOMY.by_alias(vendor, "Nonsense")


def test_patterns_cover_by_star_prefix_family_and_code():
    assert matches("*", "ads.url")
    assert matches("ads.*", "ads.url")
    assert matches("ads.url", "ads.url")
    assert not matches("ads.*", "adsorb.url")
    assert not matches("ads", "ads.url")
    assert not matches("contraband.*", "drugs")
    assert TAXONOMY.matches("contraband.*", "drugs")
    assert {label.code for label in TAXONOMY.expand("gambling.*")} == {"gambling.scene", "gambling.promo"}
    with pytest.raises(UnknownLabel):
        TAXONOMY.expand("add.*")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{zh: 甲, en: a, m: X, sev: 1}", "letters of V, A, T"),
        ("{zh: 甲, en: a, m: V, sev: 5}", "1..4"),
        ("{zh: 甲, m: V, sev: 1}", "en is missing"),
    ],
)
def test_bad_taxonomy_is_refused_with_the_place(line, message):
    text = f"version: 1\nfamilies:\n  a:\n    zh: 甲\n    en: a\n    labels:\n      a.b: {line}\n"

    with pytest.raises(ManifestError, match=message):
        Taxonomy.parse(text, where="t.yaml")
