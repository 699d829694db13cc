"""Which column of a file of visits is which, and what its words mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bihuan.epi.errors import InputError
from bihuan.epi.visits import cells

#: Name of a role (what `--map COLUMN=NAME` takes), and names its column goes by: English, Chinese, Spanish.
NAMES: dict[str, tuple[str, ...]] = {
    role: tuple(names.split())
    for role, names in {
        "event": """event event_id eventid record_id visit_id uuid id
            记录编号 记录id 事件编号 流水号 编号 evento id_evento id_registro""",
        "person": """person person_id personid pid identity identity_number id_number national_id user user_id
            身份证 身份证号 身份证号码 证件号 证件号码 人员 人员编号 用户编号 手机号 手机号码
            persona id_persona documento dni cedula cédula curp""",
        "place": """place place_id placeid location location_id venue venue_id site gate poi
            场所 场所编号 场所码 地点 地点编号 卡口 位置
            lugar id_lugar sitio ubicacion ubicación establecimiento""",
        "start": """start time_in timein check_in checkin check_in_time entry entry_time enter_time entered
            entered_at arrival time timestamp datetime begin
            进入时间 入场时间 扫码时间 签到时间 到达时间 开始时间 登记时间 时间
            entrada hora_entrada hora_de_entrada fecha_entrada fecha_hora inicio llegada marca_de_tiempo""",
        "end": """end time_out timeout check_out checkout check_out_time exit exit_time leave_time left
            left_at departure 离开时间 离场时间 签退时间 结束时间
            salida hora_salida hora_de_salida fecha_salida fin""",
        "temperature": """temperature temp body_temperature 体温 温度 测温
            temperatura temperatura_corporal""",
        "how": """how how_recorded method source mode channel 登记方式 记录方式 采集方式 方式 来源
            modo metodo método fuente origen registro""",
    }.items()
}
POSITION = {
    "event": cells.EVENT, "person": cells.PERSON, "place": cells.PLACE, "start": cells.START,
    "end": cells.END, "temperature": cells.TEMPERATURE, "how": cells.HOW,
}  # fmt: skip
NEEDED = {
    "person": ("the person", "人员"),
    "place": ("the place", "场所"),
    "start": ("the time in", "进入时间"),
}

#: Cells that say "not known"; at most eight bytes.
NOT_KNOWN = ("", "na", "n/a", "nan", "nat", "null", "none", "nil", "-", "--", "缺失", "不详", "未知")

#: How a visit was recorded: the code, and words for it. A whole number up to 255 stands for itself. Stores
#: hold the codes: a new one goes to the end.
HOW = (
    "not said", "code scanned", "card read", "face", "by hand", "gate", "self-reported", "interview",
    "transport",
)  # fmt: skip
_SAID = (
    "",
    "qr|code|scan|qrcode|qr code|扫码|场所码|二维码|código|codigo",
    "card|id card|nfc|刷卡|身份证|刷身份证|tarjeta",
    "face|刷脸|人脸|人脸识别|rostro|facial",
    "hand|by hand|manual|paper|人工|手工|手工登记|纸质|a mano|papel",
    "gate|turnstile|闸机|门禁|torniquete|puerta",
    "self|phone|app|自报|自主申报|小程序|teléfono|telefono",
    "interview|流调|访谈|entrevista",
    "transport|carrier|ticket|boarding|passenger list|承运|交通|交通工具|乘车|乘车码|实名乘车"
    "|购票|车票|机票|船票|检票|登机|登船|transporte|billete|boleto|pasaje|embarque",
)
_WORDS = {word: code for code, words in enumerate(_SAID) for word in words.split("|") if word}


def code_of(word: str) -> int | None:
    """The code of a word for how a visit was recorded, None for one that is not known."""
    text = word.strip().casefold()
    if text in NOT_KNOWN:
        return 0
    if text.isascii() and text.isdigit() and int(text) < 256:
        return int(text)
    return _WORDS.get(text)


def not_known() -> list[int]:
    """NOT_KNOWN as the numbers that the compiled reading compares: 256 bits in four for the first bytes of
    such words in either case, then the words."""
    words = [word.encode() for word in NOT_KNOWN if word]
    begins = {word[:1].lower()[0] for word in words} | {word[:1].upper()[0] for word in words}
    bits = [sum(1 << (byte % 64) for byte in begins if byte // 64 == part) for part in range(4)]
    return bits + [int.from_bytes(word, "big") for word in words]


def find(columns: Sequence[str], given: Mapping[str, str], *, file: str) -> dict[str, int]:
    """Role to the position of its column: those of `given` (column to role), others by their names."""
    found: dict[str, int] = {}
    for column, role in given.items():
        if role not in NAMES:
            raise InputError(
                f"no role is called {role!r}; there are {', '.join(NAMES)}",
                f"没有名为 {role!r} 的列含义；可用的有 {'、'.join(NAMES)}",
                field="map",
            )
        found[role] = _position(columns, column, file)
    folded = [_folded(name) for name in columns]
    for role, names in NAMES.items():
        free = {name: i for i, name in reversed(list(enumerate(folded))) if i not in found.values()}
        best = next((free[name] for name in names if name in free), None)
        if role not in found and best is not None:
            found[role] = best
    for role, (en, zh) in NEEDED.items():
        if role not in found:
            known = ", ".join(columns[:12]) + (" …" if len(columns) > 12 else "")
            raise InputError(
                f"which column of {file} holds {en}? It has: {known}. Name it: --map COLUMN={role}",
                f"{file} 的哪一列是{zh}？现有：{known}。请指明：--map 列={role}",
                field=role,
            )
    return found


def _position(columns: Sequence[str], name: str, file: str) -> int:
    if name in columns:
        return list(columns).index(name)
    folded = [_folded(column) for column in columns]
    if folded.count(_folded(name)) == 1:
        return folded.index(_folded(name))
    known = ", ".join(columns[:12])
    raise InputError(
        f"{file} has no column {name!r}; it has {known}",
        f"{file} 没有名为 {name!r} 的列；现有 {known}",
        field="map",
    )


def _folded(name: str) -> str:
    return "_".join(name.strip().casefold().replace("-", " ").replace(".", " ").split())
