"""A province as it might be: 150 agencies, the register of their computers,
agents and detections, the same at every run."""
import datetime
import random
import sqlite3
import time

from support.centre import BareAgent, now

DEPARTMENTS = (
    "Sở Nội vụ", "Sở Tài chính", "Sở Y tế", "Sở Xây dựng", "Sở Tư pháp",
    "Sở Công Thương", "Sở Giáo dục và Đào tạo", "Sở Khoa học và Công nghệ",
    "Sở Nông nghiệp và Môi trường", "Sở Dân tộc và Tôn giáo",
    "Sở Văn hóa, Thể thao và Du lịch", "Thanh tra tỉnh",
    "Văn phòng UBND tỉnh", "Ban Quản lý các khu công nghiệp")
UNITS = (
    (2, "Bệnh viện Đa khoa tỉnh"), (2, "Bệnh viện Phổi"),
    (2, "Trung tâm Kiểm soát bệnh tật"), (2, "Trung tâm Pháp y"),
    (6, "Trường THPT Chuyên"), (6, "Trường THPT Tân Trào"),
    (6, "Trung tâm Giáo dục thường xuyên tỉnh"),
    (7, "Trung tâm Công nghệ số"), (8, "Chi cục Kiểm lâm"),
    (8, "Chi cục Thủy lợi"), (8, "Văn phòng Đăng ký đất đai"),
    (10, "Bảo tàng tỉnh"), (10, "Thư viện tỉnh"),
    (3, "Ban Quản lý dự án đầu tư xây dựng công trình giao thông"),
    (4, "Phòng Công chứng số 1"), (5, "Trung tâm Khuyến công"),
    (1, "Trung tâm Dịch vụ tài chính công"), (0, "Trung tâm Lưu trữ lịch sử"),
    (12, "Trung tâm Phục vụ hành chính công"), (12, "Trung tâm Hội nghị"))
FIRST = ("Tân", "Yên", "Minh", "Bình", "Thượng", "Hồng", "Kim", "Phú",
         "Hùng", "Trung", "Xuân", "Linh")
SECOND = ("Lập", "Sơn", "Quang", "Hòa", "Thịnh", "Long", "Tiến", "An", "Lâm",
          "Thành")
MALWARE = ("Win.Trojan.Agent-36001", "Win.Worm.Autorun-1182",
           "Doc.Downloader.Macro-7740", "Eicar-Test-Signature",
           "Win.Ransomware.Khoa-2210", "Lnk.Worm.Usb-0190")
FILES = ("/home/canbo/Tải về/Công văn khẩn số 1670.doc.exe",
         "/media/usb/Ảnh họp 2026/Thumbs.scr", "/tmp/.x/update.bin",
         "/home/ketoan/Báo cáo quý III/bang_luong.xlsm",
         "/srv/chiase/Văn thư/Giấy mời họp giao ban.zip")


def agencies():
    """[(code, name, superior, kind)], superiors first."""
    rows = [(f"TQ.S{i + 1:02}", name, "TQ", "sở")
            for i, name in enumerate(DEPARTMENTS)]
    rows += [(f"{rows[above][0]}.{i + 1:02}", name, rows[above][0],
              "đơn vị sự nghiệp") for i, (above, name) in enumerate(UNITS)]
    names = [f"{a} {b}" for b in SECOND for a in FIRST]
    for i, name in enumerate(names[:150 - len(rows) - 1]):
        kind = "phường" if i % 12 == 0 else "xã"
        rows.append((f"TQ.X{i + 1:03}", f"UBND {kind} {name}", "TQ", kind))
    return rows


def agencies_csv():
    head = "ma,ten,cap_tren,loai,tu_ngay\n"
    return head + "".join(f'{c},"{n}",{s},{k},2025-07-01\n'
                          for c, n, s, k in agencies())


def computers():
    """[(agency, code, name, kind)]: 2 to 9 each."""
    rows = []
    for i, (code, *_) in enumerate(agencies()):
        for n in range(1, 3 + i * 7 % 8):
            kind = "máy chủ" if n == 1 and i % 9 == 0 else "máy trạm"
            name = f"{code.lower().replace('.', '-')}-pc{n:02}"
            rows.append((code, f"{code}-{n:03}", name, kind))
    return rows


def register_csv():
    return "ma_co_quan,ma_may,ten_may,loai\n" + "".join(
        ",".join(row) + "\n" for row in computers())


def settle(centre, agents=240):
    """Fill a centre that runs: agencies, register, agents, detections."""
    admin = centre.signed_in()
    for path, text in (("agencies", agencies_csv()),
                       ("computers", register_csv())):
        answer = admin.csv("/api/v1/" + path, text)
        if answer.status != 200:
            raise RuntimeError(answer.text)
    chance = random.Random(1670)
    chosen = chance.sample(computers(), agents)
    tokens = {}
    for agency, _, name, kind in chosen:
        if agency not in tokens:
            tokens[agency] = admin.call("POST", "/api/v1/tokens", {
                "agency": agency, "uses": 20}).json["token"]
        agent = BareAgent(centre, tokens[agency], host=name)
        answer = agent.enrol()
        if answer.status != 201:
            raise RuntimeError(answer.text)
        records = [agent.detection(
            chance.choice(FILES), name=chance.choice(MALWARE),
            size=chance.randrange(1 << 20)) for _ in range(
                chance.choice((0, 0, 0, 1, 2)))]
        records += [agent.record("event", event="action", time=now(),
                                 detection=r["body"]["id"],
                                 result="quarantined")
                    for r in records if chance.random() < 0.9]
        fault = "Không ghi được vào /var" if chance.random() < 0.02 else ""
        answer = agent.sync(*records, fault=fault)
        if answer.status != 200:
            raise RuntimeError(answer.text)
        agent.close()
        agent.client.connection.close()
    return admin


def age(centre):
    """Past days, written into the SQLite file of a centre that is off: some
    agents went silent, and every day of the last month was measured."""
    chance = random.Random(14)
    db = sqlite3.connect(centre.dir / "data/khien.db")
    ms = int(time.time() * 1000)
    day = 86400000
    ids = [r[0] for r in db.execute("SELECT agent_id FROM agents")]
    for one in chance.sample(ids, len(ids) // 12):
        db.execute("UPDATE agents SET seen_ms = ? WHERE agent_id = ?",
                   (ms - chance.randint(4, 40) * day, one))
    for one in chance.sample(ids, len(ids) // 20):
        db.execute("UPDATE agents SET last_scan_ms = ? WHERE agent_id = ?",
                   (ms - 20 * day, one))
    for (one,) in list(db.execute("SELECT detection_id FROM detections")):
        at = ms - chance.randrange(30 * day)
        db.execute("UPDATE detections SET at_ms = ?, received_ms = ?"
                   " WHERE detection_id = ?", (at, at, one))
    root = db.execute("SELECT agency_id FROM agencies LIMIT 1").fetchone()[0]
    today = datetime.datetime.now(datetime.timezone(
        datetime.timedelta(hours=7))).date()
    for back in range(30, 0, -1):
        date = (today - datetime.timedelta(back)).isoformat()
        db.execute("INSERT OR IGNORE INTO figure_days VALUES (?, ?)",
                   (date, ms))
        for name, value in (
                ("protection.computers.total", 824),
                ("protection.computers.protected", 100 + 3 * (30 - back)),
                ("protection.detections", chance.randint(0, 9))):
            db.execute("INSERT OR REPLACE INTO figure_values VALUES"
                       " (?, ?, ?, ?, ?)", (root, name, date, value, ms))
    db.commit()
    db.close()


if __name__ == "__main__":
    print(agencies_csv())
