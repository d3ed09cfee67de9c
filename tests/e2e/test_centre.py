"""The centre as programs meet it: every rule of the API, on both databases."""
import pathlib
import re
import signal
import unittest
import uuid

import yaml

from support.centre import BareAgent, Centre, Postgres, ROOT, now

AGENCIES = """ma,ten,cap_tren,loai,tu_ngay
TQ.01,Sở Tài chính,TQ,sở,2025-07-01
TQ.02,"Sở Y tế, tỉnh Tuyên Quang",TQ,sở,2025-07-01
TQ.02.1,Bệnh viện đa khoa,TQ.02,đơn vị,2025-07-01
"""
REGISTER = """ma_co_quan,ma_may,ten_may,loai,mac
TQ.01,TC-001,tc-may-01,máy trạm,00:11:22:aa:bb:01
TQ.01,TC-002,tc-may-02,Máy chủ,
"""


class Rules:
    """Mixed into one class for each database."""
    store, partitioned, postgres = "", False, None

    @classmethod
    def setUpClass(cls):
        cls.centre = Centre(cls.store_url(), cls.partitioned)
        cls.centre.start()
        cls.admin = cls.centre.signed_in()
        assert cls.admin.csv("/api/v1/agencies", AGENCIES).status == 200

    @classmethod
    def store_url(cls):
        return ""

    @classmethod
    def tearDownClass(cls):
        cls.centre.close()
        if cls.postgres:
            cls.postgres.close()

    def token(self, agency="TQ.01", uses=1):
        a = self.admin.call("POST", "/api/v1/tokens",
                            {"agency": agency, "uses": uses})
        self.assertEqual(a.status, 201, a.text)
        return a.json["token"]

    def agent(self, **options):
        agent = BareAgent(self.centre, self.token(), **options)
        self.addCleanup(agent.close)
        a = agent.enrol()
        self.assertEqual(a.status, 201, a.text)
        return agent

    def computer(self, host):
        rows = self.admin.get(f"/api/v1/computers?q={host}").json["rows"]
        return next(r for r in rows if r["name"] == host)

    def found(self, text):
        return self.admin.get(f"/api/v1/detections?q={text}").json["rows"]

    def refused(self, answer, status, code, field=None):
        self.assertEqual(answer.status, status, answer.text)
        self.assertEqual(answer.json["error"]["code"], code)
        if field is not None:
            self.assertEqual(answer.json["error"]["field"], field)

    # ---- people ----

    def test_first_password_must_be_changed(self):
        with Centre() as centre:
            c = centre.client()
            a = c.call("POST", "/api/v1/session", {
                "login": centre.login, "password": centre.first_password})
            self.assertTrue(a.json["must_change"])
            self.refused(c.get("/api/v1/agencies"), 403, "denied",
                         "password")
            page = c.get("/")
            self.assertEqual((page.status, page.headers["Location"]),
                             (303, "/password"))
            c.csrf = a.json["csrf"]
            for bad in ("short", "x" * 40, centre.first_password):
                self.refused(c.call("PUT", "/api/v1/password", {
                    "current": centre.first_password, "password": bad}),
                    400, "syntax", "password")

    def test_wrong_passwords_lock_the_account(self):
        with Centre(settings={"accounts.failures": 3}) as centre:
            c = centre.client()
            for _ in range(3):
                self.refused(c.call("POST", "/api/v1/session", {
                    "login": centre.login, "password": "no"}), 401, "auth")
            a = c.call("POST", "/api/v1/session", {
                "login": centre.login, "password": centre.first_password})
            self.refused(a, 503, "busy")
            self.assertIn("Retry-After", a.headers)

    def test_session_cookie_is_for_this_host_and_no_script(self):
        a = self.centre.client().call("POST", "/api/v1/session", {
            "login": self.centre.login, "password": "Khien-dung-vung-2026!"})
        cookie = a.headers["Set-Cookie"]
        for part in ("__Host-", "Secure", "HttpOnly", "SameSite=Strict",
                     "Path=/"):
            self.assertIn(part, cookie)

    def test_change_needs_the_csrf_token(self):
        c = self.centre.signed_in()
        c.csrf = None
        self.refused(c.csv("/api/v1/agencies", AGENCIES), 403, "denied",
                     "csrf")
        self.assertEqual(c.form("/signout", csrf="A" * 43).status, 403)

    def test_request_from_another_site_is_refused(self):
        a = self.admin.request("POST", "/api/v1/agencies", AGENCIES, {
            "Sec-Fetch-Site": "cross-site"})
        self.refused(a, 403, "denied")

    def test_nobody_sees_anything_without_signing_in(self):
        spec = yaml.safe_load((ROOT / "docs/api/openapi.yaml").read_text())
        stranger = self.centre.client()
        for path, methods in spec["paths"].items():
            for method, door in methods.items():
                if door["x-permission"] == "public":
                    continue
                real = re.sub(r"\{\w+\}", str(uuid.uuid4()), path)
                a = stranger.call(method.upper(), real, {})
                self.assertEqual(a.status, 401, f"{method} {path}")

    def test_sign_out_ends_the_session(self):
        c = self.centre.signed_in()
        self.assertEqual(c.request("DELETE", "/api/v1/session").status, 200)
        self.refused(c.get("/api/v1/agencies"), 401, "auth")

    # ---- agencies and register ----

    def test_import_names_every_bad_row_and_takes_none(self):
        bad = ("ma,ten,cap_tren,tu_ngay\n"
               "N1,Tốt,TQ,2026-01-01\n"
               ",Thiếu mã,TQ,2026-01-01\n"
               "N2,Ngày sai,TQ,2026-02-31\n"
               "N3,Cấp trên lạ,XX,2026-01-01\n"
               "N4,\"Ngoặc hở,TQ\n")
        a = self.admin.csv("/api/v1/agencies", bad)
        self.assertEqual(a.status, 400)
        self.assertEqual([(p["line"], p["column"]) for p in a.json["bad"]],
                         [(3, "code"), (4, "from"), (5, "parent"), (6, "")])
        self.refused(self.admin.csv("/api/v1/agencies", "x,y\n1,2\n"), 400,
                     "syntax", "ma")
        codes = [r["code"] for r in
                 self.admin.get("/api/v1/agencies").json["agencies"]]
        self.assertNotIn("N1", codes)

    def test_agency_is_shown_as_it_stood_on_a_day(self):
        self.assertEqual(self.admin.csv(
            "/api/v1/agencies",
            "ma,ten,cap_tren,tu_ngay\nDOI,Tên cũ,TQ,2025-01-01\n").status, 200)
        a = self.admin.csv(
            "/api/v1/agencies",
            "ma,ten,cap_tren,tu_ngay\nDOI,Tên mới,TQ,2026-03-01\n")
        self.assertEqual(a.json["changed"], 1)

        def name(day):
            rows = self.admin.get(f"/api/v1/agencies?day={day}").json
            return [r["name"] for r in rows["agencies"] if r["code"] == "DOI"]
        self.assertEqual(name("2024-12-31"), [])
        self.assertEqual(name("2026-02-28"), ["Tên cũ"])
        self.assertEqual(name("2026-03-01"), ["Tên mới"])
        self.refused(self.admin.get("/api/v1/agencies?day=2026-13-01"), 400,
                     "syntax", "day")

    def test_register_tells_expected_computers_without_agent(self):
        self.assertEqual(self.admin.csv("/api/v1/computers",
                                        REGISTER).status, 200)
        row = self.computer("tc-may-02")
        self.assertEqual((row["state"], row["reason"], row["kind"]),
                         ("unprotected", "no_agent", "server"))
        a = self.admin.csv("/api/v1/computers",
                           "ma_co_quan,ma_may,ten_may,loai\nTQ.01,A,B,xe\n"
                           "KHONG,A,B,máy trạm\n")
        self.assertEqual([(p["line"], p["column"]) for p in a.json["bad"]],
                         [(2, "kind"), (3, "agency")])

    def test_agent_is_matched_to_the_register_by_mac(self):
        self.admin.csv("/api/v1/computers",
                       "ma_co_quan,ma_may,ten_may,loai,mac\n"
                       "TQ.01,TC-9,ten-cu,máy trạm,00-11-22-AA-BB-09\n")
        agent = self.agent(host="ten-moi", macs=["00:11:22:aa:bb:09"])
        agent.sync()
        self.assertTrue(self.computer("ten-moi")["declared"])

    # ---- enrolment ----

    def test_token_is_good_once_and_its_answer_can_be_asked_again(self):
        token = self.token()
        first, second = (BareAgent(self.centre, token) for _ in range(2))
        self.addCleanup(first.close)
        self.addCleanup(second.close)
        a = first.enrol()
        self.assertEqual(a.status, 201)
        again = first.enrol()
        self.assertEqual(again.json["agent"], a.json["agent"])
        self.refused(second.enrol(), 409, "exists", "token")

    def test_bad_enrolments_name_what_is_wrong(self):
        agent = BareAgent(self.centre, self.token())
        self.addCleanup(agent.close)
        good = agent.token["secret"]
        agent.token["secret"] = "A" * 43
        self.refused(agent.enrol(), 401, "auth", "token")
        agent.token["secret"], agent.csr = good, "nonsense"
        self.refused(agent.enrol(), 400, "syntax", "csr")
        agent.csr, agent.fingerprint = agent.make_csr(), "zz"
        self.refused(agent.enrol(), 400, "syntax", "fingerprint")
        agent.fingerprint, agent.inventory = "0" * 64, {"kind": "car"}
        self.refused(agent.enrol(), 400, "syntax", "kind")

    def test_clone_is_noticed_and_gets_its_own_identity(self):
        agent = self.agent(host="goc")
        agent.sync()
        old = agent.id
        agent.fingerprint = "1" * 64
        self.refused(agent.sync(), 409, "exists", "fingerprint")
        body = {"csr": agent.make_csr(), "fingerprint": agent.fingerprint,
                "inventory": {"host": "nhan-ban"}}
        # the new key is in place: speak with the old one still
        first = agent.client.call("POST", "/api/v1/agent/rekey", body)
        self.assertEqual(first.status, 201, first.text)
        again = agent.client.call("POST", "/api/v1/agent/rekey", body)
        self.assertEqual(again.json["agent"], first.json["agent"])
        self.assertNotEqual(first.json["agent"], old)
        agent.keep(first.json)
        self.assertEqual(agent.sync().status, 200)

    def test_revoked_certificate_is_refused_from_the_next_request(self):
        agent = self.agent(host="bi-thu-hoi")
        self.assertEqual(agent.sync().status, 200)
        a = self.admin.request(
            "POST", f"/api/v1/agents/{agent.agency}/{agent.id}/revoke")
        self.assertEqual(a.status, 202, a.text)
        self.refused(agent.sync(), 403, "denied", "certificate")
        names = [r["name"] for r in
                 self.admin.get("/api/v1/computers?q=bi-thu").json["rows"]]
        self.assertEqual(names, [])

    def test_agent_door_needs_a_certificate_of_this_centre(self):
        with Centre() as other:
            admin = other.signed_in()
            token = admin.call("POST", "/api/v1/tokens", {
                "agency": "TQ", "uses": 1}).json["token"]
            agent = BareAgent(other, token)
            self.addCleanup(agent.close)
            agent.enrol()
            agent.centre = self.centre
            stranger = self.centre.client(
                (agent.dir / "cert.pem", agent.dir / "key.pem"))
            self.refused(stranger.call("POST", "/api/v1/agent/sync", {}),
                         401, "auth", "certificate")
        self.refused(self.centre.client().call(
            "POST", "/api/v1/agent/sync", {}), 401, "auth")

    # ---- sync ----

    def test_record_is_stored_once_however_often_it_comes(self):
        agent = self.agent()
        d = agent.detection(path="/home/a/mot-lan.com")
        for _ in range(3):
            a = agent.sync(d)
            self.assertEqual((a.status, a.json["ack"]), (200, 1), a.text)
        self.assertEqual(len(self.found("mot-lan.com")), 1)
        agent.spool = str(uuid.uuid4())  # the spool was lost: numbers restart
        agent.sync(d)
        self.assertEqual(len(self.found("mot-lan.com")), 1)

    def test_action_follows_its_detection(self):
        agent = self.agent()
        d = agent.detection(path="/home/a/xu-ly.com")
        agent.sync(d, agent.record(
            "event", event="action", detection=d["body"]["id"], time=now(),
            result="quarantined"))
        row = self.found("xu-ly.com")[0]
        self.assertEqual((row["state"], row["can_act"]),
                         ("quarantined", True))
        door = f"/api/v1/detections/{row['agency']}/{row['id']}/restore"
        self.assertEqual(self.admin.request("POST", door).status, 202)
        self.refused(self.admin.request("POST", door), 409, "exists")
        command, = agent.sync().json["commands"]
        self.assertEqual((command["kind"], command["detection"]),
                         ("restore", row["id"]))
        agent.sync(
            agent.record("event", event="action", detection=row["id"],
                         time=now(), result="restored"),
            agent.record("event", event="command", command=command["id"],
                         time=now(), result="done"))
        self.assertEqual(self.found("xu-ly.com")[0]["state"], "restored")
        self.assertEqual(agent.sync().json["commands"], [])

    def test_agent_cannot_write_about_another_one(self):
        mine, other = self.agent(), self.agent()
        d = mine.detection(path="/home/a/cua-toi.com")
        mine.sync(d)
        other.sync(other.record(
            "event", event="action", detection=d["body"]["id"], time=now(),
            result="deleted"))
        self.assertEqual(self.found("cua-toi.com")[0]["state"], "found")

    def test_record_that_makes_no_sense_does_not_hold_up_the_rest(self):
        agent = self.agent()
        a = agent.sync(agent.record("detection", path=5),
                       agent.record("xyz", a=1),
                       agent.record("gap", **{"from": 1, "to": 9,
                                              "why": "damage"}),
                       agent.detection(path="/home/a/sau-do.com"))
        self.assertEqual((a.status, a.json["ack"]), (200, 4))
        self.assertEqual(len(self.found("sau-do.com")), 1)

    def test_bad_sync_names_the_field(self):
        agent = self.agent()
        for more, field in (({"time": "yesterday"}, "time"),
                            ({"spool": "x"}, "spool"),
                            ({"set_version": -1}, "set_version"),
                            ({"fingerprint": "12"}, "fingerprint"),
                            ({"records": [{"number": 0}]}, "number")):
            a = agent.sync(**more) if "records" not in more else \
                agent.client.call("POST", "/api/v1/agent/sync", {
                    "fingerprint": agent.fingerprint, "time": now(),
                    "version": "0", "policy_version": 1, "set_version": 1,
                    "spool": agent.spool, **more})
            self.assertIn(a.status, (400, 413), field)
            self.assertEqual(a.json["error"]["field"], field)

    def test_clock_far_off_is_corrected(self):
        agent = self.agent()
        day = 86400
        d = agent.detection(path="/home/a/dong-ho.com", time=now(-900 * day))
        agent.sync(d, time=now(-900 * day))
        at = self.found("dong-ho.com")[0]["at_ms"] / 1000
        self.assertLess(abs(at - __import__("time").time()), 60)

    # ---- coverage ----

    def test_every_gap_has_its_reason(self):
        agent = self.agent(host="do-phu")

        def reason():
            row = self.computer("do-phu")
            return row["state"], row["reason"]
        agent.sync(last_scan=now())
        self.assertEqual(reason(), ("protected", ""))
        agent.sync(fault="cannot start workers")
        self.assertEqual(reason(), ("unprotected", "fault"))
        agent.sync(set_version=0)
        self.assertEqual(reason(), ("unprotected", "signatures"))
        agent.sync(last_scan=now(-400 * 86400))
        self.assertEqual(reason(), ("unprotected", "scan"))

    def test_overview_adds_up(self):
        o = self.admin.get("/api/v1/overview").json
        t = o["totals"]
        self.assertEqual(t["total"],
                         t["protected"] + t["unprotected"] + t["unknown"])
        self.assertEqual(sum(r["count"] for r in o["reasons"]),
                         t["unprotected"] + t["unknown"])
        for f in o["figures"]:
            self.assertTrue(f["sentence"] and f["unit"] and f["basis"])

    # ---- requests ----

    def test_malformed_and_oversized_requests(self):
        c = self.admin
        json_type = {"Content-Type": "application/json"}
        self.refused(c.request("POST", "/api/v1/tokens", "{", json_type),
                     400, "syntax")
        self.refused(c.request("POST", "/api/v1/tokens", "[]", json_type),
                     400, "syntax")
        self.refused(c.request("POST", "/api/v1/tokens", "{}",
                               {"Content-Type": "text/plain"}), 400, "syntax",
                     "Content-Type")
        self.refused(c.call("POST", "/api/v1/tokens", {"agency": 5}), 400,
                     "syntax", "agency")
        self.refused(c.request("POST", "/api/v1/tokens", "x" * 5000,
                               json_type), 413, "limit")
        self.refused(c.get("/api/v1/none"), 404, "not_found")
        self.refused(c.call("PATCH", "/api/v1/agencies", {}), 405,
                     "unsupported")
        self.refused(c.get("/api/v1/%zz"), 400, "syntax")

    def test_set_is_offered_signed_and_fetched_in_pieces(self):
        agent = self.agent()
        offer = agent.sync(set_version=0).json["set"]
        self.assertEqual(offer["version"], 1)
        got = b""
        while len(got) < offer["size"]:
            a = agent.client.get(f"/api/v1/agent/sets/1?offset={len(got)}"
                                 "&length=1000")
            self.assertEqual(a.status, 200)
            got += a.body
        import hashlib
        self.assertEqual(hashlib.sha256(got).hexdigest(), offer["sha256"])
        self.refused(agent.client.get("/api/v1/agent/sets/99"), 404,
                     "not_found")

    # ---- pages ----

    def test_pages_are_vietnamese_first_and_english_by_a_switch(self):
        c = self.centre.signed_in()
        for path, vi, en in (("/", "Tổng quan", "Overview"),
                             ("/agencies", "Cơ quan", "Agencies"),
                             ("/computers", "Máy tính", "Computers"),
                             ("/detections", "Phát hiện", "Detections")):
            c.cookies.pop("khien-lang", None)
            page = c.get(path)
            self.assertEqual(page.status, 200)
            self.assertIn(f"<h1>{vi}</h1>", page.text)
            self.assertEqual(c.form("/language", lang="en",
                                    to=path).headers["Location"], path)
            self.assertIn(f"<h1>{en}</h1>", c.get(path).text)
        self.assertEqual(c.form("/language", lang="vi", to="//evil.example"
                                ).headers["Location"], "/")

    def test_hostile_text_is_escaped(self):
        agent = self.agent(host="<script>alert(1)</script>")
        agent.sync(agent.detection(path="/home/<img src=x>\n\"'"))
        for path in ("/", "/computers", "/detections"):
            text = self.admin.get(path).text
            self.assertNotIn("<script>alert", text)
            self.assertNotIn("<img src=x", text)

    # ---- falling over ----

    def test_killed_centre_keeps_what_it_acknowledged(self):
        with Centre(self.fresh_url(), self.partitioned) as centre:
            admin = centre.signed_in()
            token = admin.call("POST", "/api/v1/tokens", {
                "agency": "TQ", "uses": 1}).json["token"]
            agent = BareAgent(centre, token)
            self.addCleanup(agent.close)
            agent.enrol()
            done = []
            for i in range(30):
                d = agent.detection(path=f"/x/{i}")
                self.assertEqual(agent.sync(d).status, 200)
                done.append(d["body"]["id"])
            centre.stop(signal.SIGKILL)
            centre.start()
            rows = centre.signed_in().get("/api/v1/detections").json["rows"]
            self.assertEqual(sorted(r["id"] for r in rows), sorted(done))
            self.assertEqual(centre.stop(), 0)

    def fresh_url(self):
        """A second database for a test that needs its own centre."""
        return ""


class OnPostgres(Rules, unittest.TestCase):
    @classmethod
    def store_url(cls):
        cls.postgres = Postgres()
        return cls.postgres.url

    def fresh_url(self):
        other = Postgres()
        self.addCleanup(other.close)
        return other.url


class OnPartitionedPostgres(OnPostgres):
    """Every tenant table split by agency: the key rule of Citus."""
    partitioned = True


class OnSqlite(Rules, unittest.TestCase):
    def test_routes_are_those_of_the_document(self):
        spec = yaml.safe_load((ROOT / "docs/api/openapi.yaml").read_text())
        want = {(m.upper(), p, d["x-permission"])
                for p, ms in spec["paths"].items() for m, d in ms.items()}
        have = {(m, p, w) for m, p, w in (
            line.split() for line in self.centre.verb("routes").splitlines())
            if p.startswith("/api/") or p == "/health"}
        self.assertEqual(have, want)


if __name__ == "__main__":
    unittest.main()
