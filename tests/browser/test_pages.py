"""Every page of the console with the data of 150 agencies: for everyone, on
every screen, in two languages, with or without scripts, and on paper."""
import re
import time
import unittest

from support import province
from support.agent import until
from support.centre import Centre, PASSWORD, ROOT
from support.webdriver import Browser, ELEMENT

AXE = ROOT / "build/npm/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PAGES = ("/", "/agencies", "/computers", "/detections", "/password",
         "/nowhere")
VIETNAMESE = re.compile("[ăâđêôơưàáảãạằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộ"
                        "ờớởỡợùúủũụừứửữựỳýỷỹỵ]", re.I)
# What the page itself says, not the data of the province.
OWN_WORDS = ("nav, h1, h2, label, button:not([lang]), summary, th[scope=col],"
             " .note, .label, .skip, footer, .state, .fate, select option, figcaption,"
             " .fault, .message, p.good, .report td:last-child, .tile details p,"
             " .gaps small")
BAD_TABLE = """ma,ten,cap_tren,tu_ngay
M1,Sở Mới,TQ,2026-01-01
M2,,TQ,2026-01-01
M3,Phòng,KHONG.CO,2026-01-01
M4,Phòng,TQ,01/02/2026
M5,Phòng Văn hoá, Xã hội,TQ,2026-01-01
"""


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browsers = {}
        cls.centre = Centre().start()
        province.settle(cls.centre)
        cls.centre.stop()
        province.age(cls.centre)
        cls.centre.start()

    @classmethod
    def tearDownClass(cls):
        for b in cls.browsers.values():
            b.close()
        cls.centre.close()

    def browser(self, javascript=True):
        """Signed out, at the page that signs in; two serve all tests."""
        b = self.browsers.get(javascript)
        if b is None:
            b = Browser(self.centre, javascript=javascript).__enter__()
            self.browsers[javascript] = b
        b.media()
        b.size("desk")
        b.go("/signin")
        b.do("DELETE", "/cookie")
        b.go("/signin")
        return b

    def sign_in(self, b, password=PASSWORD):
        b.type("#login", self.centre.login)
        b.type("#password", password)
        b.follow("main button")

    def signed_in(self, **options):
        b = self.browser(**options)
        self.sign_in(b)
        self.assertEqual(b.title, "Tổng quan · Khiên")
        return b

    def scenes(self, b):
        """Every page, and what becomes of it when it is used or misused."""
        for path in PAGES:
            b.go(path)
            b.run("document.querySelectorAll('details')"
                  ".forEach(d => d.open = true)")
            yield path
        for table in (BAD_TABLE, "a,b\n1,2\n", "\x00"):
            self.upload(b, "/agencies", table)
            yield f"table {table[:9]!r}"
        for agency in ("TQ.S03", "KHONG.CO"):
            self.make_token(b, agency)
            yield "token for " + agency
        b.go("/agencies?day=1/7/2026")
        yield "bad day"
        b.go("/password")
        b.run("document.querySelector('main [name=csrf]').value = 'x'")
        for field in ("current", "password", "again"):
            b.type("#" + field, PASSWORD)
        b.follow("main button")
        yield "forbidden"

    def upload(self, b, path, text):
        file = b.dir / "bang.csv"
        file.write_text(text)
        b.go(path)
        b.choose_file("#file", file)
        b.follow("section[aria-labelledby=import] button")

    def make_token(self, b, agency):
        b.go("/computers")
        b.type("#token-agency", agency)
        b.follow("section[aria-labelledby=enrol] button")

    # ---- for everyone ----

    def audit(self, b, scene):
        """axe-core finds nothing against WCAG 2.2 AA; in the dark only
        colours are different."""
        b.run(AXE.read_text() + "; window.axe = axe;")
        for scheme, rules in (("light", RULES), ("dark", ["color-contrast"])):
            b.media(scheme)
            found = b.run_async("""
                const done = arguments[arguments.length - 1];
                axe.run({runOnly: arguments[0], resultTypes: ['violations']})
                    .then(r => done(r.violations.map(v => v.id + ': ' +
                        v.nodes.slice(0, 3).map(n => n.html).join(' | '))),
                        e => done(['axe: ' + e]));""", rules)
            with self.subTest(scene=scene, scheme=scheme):
                self.assertEqual(found, [])

    def fits(self, b, scene):
        """No wider than the screen."""
        for size in ("phone", "desk"):
            b.size(size)
            with self.subTest(scene=scene, size=size):
                self.assertLessEqual(b.run("""
                    const e = document.documentElement;
                    return e.scrollWidth - e.clientWidth;"""), 0)

    def test_every_page_is_accessible_light_and_dark_and_fits(self):
        b = self.browser()
        self.fits(b, "/signin")
        self.audit(b, "/signin")
        self.sign_in(b)
        for scene in self.scenes(b):
            self.fits(b, scene)
            self.audit(b, scene)

    def test_the_keyboard_suffices(self):
        b = self.browser()
        until(lambda: b.focused()["id"] == "login",
              what="the focus is where one begins")
        b.press(*self.centre.login, "Tab", *PASSWORD)
        b.leave(lambda: b.press("Enter"))
        self.assertEqual(b.path, "/")
        b.press("Tab")
        self.assertEqual(b.focused()["text"], "Đến nội dung chính")
        self.assertTrue(b.focused()["seen"])
        b.press("Enter")
        b.press("Tab")
        self.assertTrue(b.run("return document.querySelector('main')"
                              ".contains(document.activeElement)"))
        b.go("/")
        self.tab_to(b, lambda f: f["text"] == "Máy tính")
        b.leave(lambda: b.press("Enter"))
        self.assertEqual(b.path, "/computers")
        self.tab_to(b, lambda f: f["name"] == "q")
        b.press(*"tq-s05")
        b.press("Enter")
        until(lambda: len(b.all("tbody tr")) < 20, what="it is filtered")

    def tab_to(self, b, wanted):
        for _ in range(80):
            b.press("Tab")
            focused = b.focused()
            self.assertTrue(focused["seen"], focused)
            if wanted(focused):
                return
        self.fail("the focus never came there")

    def test_it_prints_what_matters(self):
        b = self.signed_in()
        for path in ("/", "/agencies", "/computers", "/detections"):
            b.go(path)
            b.media(kind="print")
            hidden, shown = b.run("""
                const seen = e => e.checkVisibility();
                return [[...document.querySelectorAll('nav, form, button')]
                    .filter(seen).length,
                    [...document.querySelectorAll('h1, table')]
                    .filter(seen).length];""")
            self.assertEqual(hidden, 0, path)
            self.assertGreaterEqual(shown, 2, path)
            self.assertGreater(len(b.do("POST", "/print", {})), 10000)

    # ---- two languages ----

    def test_english_is_a_switch_away_and_nothing_is_left_out(self):
        b = self.signed_in()
        vi = {}
        for scene in self.scenes(b):
            self.assertEqual(b.attribute("html", "lang"), "vi", scene)
            self.assertTrue(VIETNAMESE.search(b.text("h1")), scene)
            vi[scene] = set(b.texts(OWN_WORDS))
        b.go("/computers?q=tq-s05")
        b.follow("button[lang=en]")
        self.assertEqual(b.path, "/computers")
        for scene in self.scenes(b):
            self.assertEqual(b.attribute("html", "lang"), "en", scene)
            words = {w.replace("Khiên", "").replace("máy chủ, máy trạm, thiết"
                     " bị đầu cuối", "") for w in b.texts(OWN_WORDS)}
            left = [w for w in words if VIETNAMESE.search(w)]
            self.assertEqual(left, [], scene)
            left = [w for w in words & vi[scene] if re.search("[a-z]{3}", w)]
            self.assertEqual(left, [], scene)
        b.follow("button[lang=vi]")
        self.assertEqual(b.attribute("html", "lang"), "vi")

    # ---- signing in ----

    def test_wrong_password_is_told_and_too_many_lock(self):
        with Centre() as centre, Browser(centre) as b:
            b.go("/")
            for i in range(6):
                b.type("#login", centre.login)
                b.type("#password", "sai mật khẩu")
                b.follow("main button")
                self.assertEqual(b.attribute("#login", "value"),
                                 centre.login)
                if i < 5:
                    self.assertIn("Sai tên đăng nhập hoặc mật khẩu",
                                  b.text("[role=alert]"))
            self.assertIn("khóa", b.text("[role=alert]"))

    def test_signing_out_ends_it(self):
        b = self.signed_in()
        b.follow("form[action='/signout'] button")
        self.assertEqual(b.path, "/signin")
        b.go("/detections")
        self.assertEqual(b.path, "/signin")

    def test_the_next_page_fetches_nothing_but_itself(self):
        b = self.signed_in()
        b.go("/")
        b.go("/agencies")
        fetched = b.run("""
            return performance.getEntriesByType('resource')
                .filter(e => /\\.(css|js)/.test(e.name))
                .map(e => [e.name, e.transferSize]);""")
        self.assertEqual(len(fetched), 3, fetched)
        for name, size in fetched:
            self.assertIn("?v=", name)
            self.assertEqual(size, 0, name)

    # ---- lists ----

    def test_what_is_typed_filters_at_once_and_an_old_session_signs_in(self):
        b = self.signed_in()
        b.go("/computers")
        b.type("#q", "tq-s05-pc")
        until(lambda: b.path == "/computers?q=tq-s05-pc&agency=&state=",
              what="the address follows")
        names = [n.split("\n")[0] for n in b.texts("#list tbody th")]
        self.assertEqual({n[:9] for n in names}, {"tq-s05-pc"})
        b.do("DELETE", "/cookie")
        b.leave(lambda: b.type("#q", "tq-s06"))
        self.assertEqual(b.path, "/signin")

    def test_lists_have_pages_and_filters_without_scripts_too(self):
        for javascript in (True, False):
            b = self.signed_in(javascript=javascript)
            b.go("/computers")
            first = b.texts("#list tbody th")
            self.follow_or_swap(b, "a[rel=next]", first)
            second = b.texts("#list tbody th")
            self.assertFalse(set(first) & set(second))
            self.assertIn("page=2", b.path)
            b.go("/detections?state=found")
            self.assertEqual(set(b.texts(".fate")),
                             {"Đã phát hiện, chưa xử lý"})
            b.go("/computers?agency=TQ.S03")
            self.assertEqual(len(b.all("tbody tr")), 26)

    def test_a_gap_leads_to_its_computers_and_the_filter_holds(self):
        b = self.signed_in(javascript=False)
        count = b.text("[data-reason=silent] strong")
        b.follow("[data-reason=silent] a")
        self.assertEqual(b.run("return document.querySelector('#state')"
                               ".value"), "silent")
        b.follow(".filter button")
        self.assertEqual(b.text("#list > p").split()[0], count)
        self.assertEqual({t.split("\n")[0] for t in b.texts("tbody .state")},
                         {"Tác tử im lặng"})

    def test_agencies_are_found_by_name_and_a_page_too_far_is_the_last(self):
        b = self.signed_in(javascript=False)
        for path in ("/computers", "/detections"):
            b.go(path)
            b.type("#q", "UBND xã Yên")
            b.follow(".filter button")
            rows = b.texts("tbody tr")
            self.assertGreater(len(rows), 3)
            self.assertEqual([r for r in rows if "UBND xã Yên" not in r], [])
            b.go(path + "?page=999")
            self.assertGreater(len(b.all("tbody tr")), 0)
            self.assertEqual(b.all("a[rel=next]"), [])

    def test_an_agency_is_chosen_from_a_list_and_named(self):
        b = self.signed_in(javascript=False)
        b.go("/agencies")
        b.follow("a[href='/computers?agency=TQ.S03']")
        self.assertEqual(b.text("#list h2"), "Sở Y tế và các đơn vị trực thuộc")
        for field in ("agency", "token-agency"):
            self.assertEqual(b.run(
                "return document.getElementById(arguments[0]).list.options[1]"
                ".label", field), "Sở Nội vụ")
        b.go("/detections?agency=TQ.X001")
        self.assertEqual(b.text("#list h2"),
                         "UBND phường Tân Lập và các đơn vị trực thuộc")

    def test_both_tables_of_agencies_tell_the_same_numbers(self):
        b = self.signed_in()
        rows = """return [...document.querySelectorAll(arguments[0])].map(r =>
            [...r.children].map(c => c.innerText))"""
        overview = b.run(rows, "section[aria-labelledby=by-agency] tbody tr")
        b.go("/agencies")
        agencies = b.run(rows, "tbody tr")
        self.assertEqual(len(agencies), 150)
        self.assertEqual([(r[0], r[1], r[2]) for r in overview],
                         [(r[0], r[5], r[6]) for r in agencies])
        self.assertEqual(agencies[0][5], "824")

    def follow_or_swap(self, b, css, old):
        b.click(css)
        until(lambda: b.texts("#list tbody th") != old, what="next page")

    def test_every_figure_says_what_it_counts(self):
        b = self.signed_in(javascript=False)
        tiles = b.all(".tile")
        self.assertGreaterEqual(len(tiles), 7)
        for tile in tiles:
            b.click("summary", within=tile)
            self.assertGreater(len(b.text("details p", within=tile)), 30)

    # ---- tables of agencies ----

    def test_bad_rows_are_named_one_by_one_and_nothing_comes_in(self):
        for javascript in (True, False):
            b = self.signed_in(javascript=javascript)
            self.upload(b, "/agencies", BAD_TABLE)
            rows = [b.texts(f".report tbody tr:nth-child({i}) td")
                    for i in (1, 2, 3, 4)]
            self.assertEqual([r[:2] for r in rows], [
                ["3", "ten"], ["4", "cap_tren"], ["5", "tu_ngay"],
                ["6", ""]])
            self.assertTrue(all(VIETNAMESE.search(r[2]) for r in rows), rows)
            b.go("/agencies")
            self.assertNotIn("Sở Mới", b.texts("tbody th"))

    def test_the_tree_is_shown_as_it_stood(self):
        b = self.signed_in()
        self.upload(b, "/agencies", "ma,ten,cap_tren,loai,tu_ngay\n"
                    "TQ.S07,Sở Giáo dục,TQ,sở,2026-03-01\n")
        self.assertIn("1", b.text(".report .good"))
        for day, name in (("2026-02-28", "Sở Giáo dục và Đào tạo"),
                          ("2026-03-01", "Sở Giáo dục")):
            b.go(f"/agencies?day={day}")
            self.assertIn(name, b.texts("tbody th"))


if __name__ == "__main__":
    unittest.main()
