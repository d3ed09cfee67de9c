#include "testing.h"

#include <sys/stat.h>
#include <unistd.h>

#include "page/page_int.h"

/* ---- rendering ---- */

static enum err
render(const char *template, const char *json, struct buf *out,
    struct errinfo *why)
{
	struct page_set *ps = page_set_new();
	struct errinfo ei = { 0 };
	json_t *data = json_loads(json, JSON_DECODE_ANY, NULL);
	enum err e = OK;

	assert_non_null(ps);
	assert_non_null(data);
	assert_ok(page_add(ps, "other", span_of("<i>{{name}}</i>"), &ei));
	assert_ok(page_add(
	    ps, "tree", span_of("({{n}}{{#kids}}{{>tree}}{{/kids}})"), &ei));
	assert_ok(page_add(ps, "loop", span_of("{{>loop}}"), &ei));
	e = page_add(ps, "page", span_of(template), why);
	if (e == OK)
		e = page_link(ps, why);
	if (e == OK)
		e = page_render(ps, "page", NULL, data, out, why);
	json_decref(data);
	page_free(ps);
	return e;
}

static const struct {
	const char *name, *template, *json, *want;
} good[] = {
	{ "text stands as it is", "<p>a { b }} c</p>", "{}",
	    "<p>a { b }} c</p>" },
	{ "a value is escaped", "{{a}}", "{\"a\":\"<b>&\\\"'\"}",
	    "&lt;b&gt;&amp;&quot;&#39;" },
	{ "blanks within a tag do not count", "{{ a }}", "{\"a\":\"x\"}", "x" },
	{ "numbers and truth values", "{{i}} {{r}} {{t}} {{f}}",
	    "{\"i\":-7,\"r\":0.5,\"t\":true,\"f\":false}",
	    "-7 0.5 true false" },
	{ "null and absent are empty", "[{{n}}{{x}}{{x.y}}]", "{\"n\":null}",
	    "[]" },
	{ "a path goes into objects", "{{a.b.c}}",
	    "{\"a\":{\"b\":{\"c\":\"deep\"}}}", "deep" },
	{ "a list repeats with its members in sight", "{{#l}}{{n}}{{o}};{{/l}}",
	    "{\"o\":\"!\",\"l\":[{\"n\":1},{\"n\":2}]}", "1!;2!;" },
	{ "the inner name hides the outer", "{{#l}}{{n}}{{/l}}",
	    "{\"n\":\"outer\",\"l\":[{\"n\":\"inner\"}]}", "inner" },
	{ "a path does not fall back to an outer scope half-way",
	    "{{#l}}[{{a.b}}]{{/l}}",
	    "{\"a\":{\"b\":\"outer\"},\"l\":[{\"a\":{}}]}", "[]" },
	{ "items of a list of texts", "{{#l}}{{.}},{{/l}}",
	    "{\"l\":[\"a\",\"<\",3]}", "a,&lt;,3," },
	{ "an object shows once", "{{#o}}{{n}}{{/o}}", "{\"o\":{\"n\":\"x\"}}",
	    "x" },
	{ "nothing shows for false, null, empty and zero",
	    "{{#a}}a{{/a}}{{#b}}b{{/b}}{{#c}}c{{/c}}{{#d}}d{{/d}}{{#e}}e{{/e}}"
	    "{{#f}}f{{/f}}{{#g}}g{{/g}}",
	    "{\"a\":false,\"b\":null,\"c\":\"\",\"d\":0,\"e\":[],\"f\":0.0}",
	    "" },
	{ "the inverse shows for them",
	    "{{^a}}a{{/a}}{{^b}}b{{/b}}{{^c}}c{{/c}}{{^d}}d{{/d}}{{^e}}e{{/e}}"
	    "{{^g}}g{{/g}}{{^t}}t{{/t}}",
	    "{\"a\":false,\"b\":null,\"c\":\"\",\"d\":0,\"e\":[],\"t\":1}",
	    "abcdeg" },
	{ "sections within sections", "{{#a}}{{#b}}{{x}}{{/b}}{{/a}}",
	    "{\"a\":{\"b\":{\"x\":1}}}", "1" },
	{ "a partial sees the same data", "{{#p}}{{>other}}{{/p}}",
	    "{\"p\":[{\"name\":\"<\"}]}", "<i>&lt;</i>" },
	{ "a template may include itself as deep as the data goes", "{{>tree}}",
	    "{\"n\":1,\"kids\":[{\"n\":2,\"kids\":[]},{\"n\":3,\"kids\":[]}]}",
	    "(1(2)(3))" },
	{ "a message without catalogue is English", "{{_ Sign in}}", "{}",
	    "Sign in" },
	{ "a message's names are replaced, escaped",
	    "{{_ %{n} of %{a.b}: 100%}}", "{\"n\":3,\"a\":{\"b\":\"<x>\"}}",
	    "3 of &lt;x&gt;: 100%" },
	{ "a message may end in a name", "{{_ by %{n}}}!", "{\"n\":\"y\"}",
	    "by y!" },
	{ "a message may run over lines", "{{_ one\n two}}", "{}",
	    "one\n two" },
	{ "an unfinished name is text", "{{_ 5 %{ x}}", "{}", "5 %{ x" },
	{ "a name may begin with an underscore", "{{_a}}", "{\"_a\":1}", "1" },
	{ "a drawing stands unescaped", "{{&s}}",
	    "{\"s\":\"<svg class=\\\"bar\\\"></svg>\"}",
	    "<svg class=\"bar\"></svg>" },
	{ "no drawing is empty", "[{{&s}}{{&t}}]", "{\"t\":\"\"}", "[]" },
	{ "control characters never reach the page", "{{a}}",
	    "{\"a\":\"x\\u0001\\u007fy\\n\"}", "x\xef\xbf\xbd\xef\xbf\xbdy\n" },
	{ "values are not templates", "{{a}}", "{\"a\":\"{{b}}\",\"b\":1}",
	    "{{b}}" },
	{ "Vietnamese passes", "{{a}} máy", "{\"a\":\"Cơ quan\"}",
	    "Cơ quan máy" },
};

static void
templates_show_data(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct buf out = buf_make(PAGE_MAX);
		struct errinfo ei = { 0 };

		TEST_CASE(good[i].name);
		assert_ok(render(good[i].template, good[i].json, &out, &ei));
		assert_string_equal(
		    out.ptr == NULL ? "" : out.ptr, good[i].want);
		buf_free(&out);
	}
}

static const struct {
	const char *name, *template, *json;
	enum err want;
	const char *says;
} bad[] = {
	{ "a tag that is not closed", "a\nb{{x", "{}", ERR_SYNTAX,
	    "page.html:2: {{ without }}" },
	{ "a section that is not closed", "\n{{#x}}\n\n", "{}", ERR_SYNTAX,
	    "page.html:2: {{x}} is never closed" },
	{ "a section closed by another name", "{{#x}}\n{{/y}}", "{}",
	    ERR_SYNTAX, "page.html:2: {{/y}} closes {{x}} of line 1" },
	{ "a close without section", "{{/y}}", "{}", ERR_SYNTAX,
	    "page.html:1: {{/y}} closes nothing" },
	{ "an empty tag", "{{}}", "{}", ERR_SYNTAX, "is not a tag" },
	{ "an empty message", "{{_ }}", "{}", ERR_SYNTAX, "is not a tag" },
	{ "a path with a blank", "{{a b}}", "{}", ERR_SYNTAX, "is not a tag" },
	{ "a path with an empty part", "{{a..b}}", "{}", ERR_SYNTAX,
	    "is not a tag" },
	{ "a path that ends in a dot", "{{a.}}", "{}", ERR_SYNTAX,
	    "is not a tag" },
	{ "three braces are no way out", "{{{a}}}", "{}", ERR_SYNTAX,
	    "is not a tag" },
	{ "a partial that is not there", "\n\n{{>none}}", "{}", ERR_NOT_FOUND,
	    "page.html:3: no template none" },
	{ "a partial that never ends", "{{>loop}}", "{}", ERR_LIMIT,
	    "loop.html:1: more than 64 deep" },
	{ "a list where text belongs", "{{a}}", "{\"a\":[1]}", ERR_SYNTAX,
	    "page.html:1: a is a list or an object" },
	{ "text where a drawing belongs", "{{&a}}",
	    "{\"a\":\"<script>1</script>\"}", ERR_SYNTAX,
	    "page.html:1: a is not a drawing" },
	{ "bytes that are not UTF-8", "\xff", "{}", ERR_SYNTAX, "not UTF-8" },
};

static void
mistakes_are_named_by_file_and_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct buf out = buf_make(PAGE_MAX);
		struct errinfo ei = { 0 };

		TEST_CASE(bad[i].name);
		assert_err(render(bad[i].template, bad[i].json, &out, &ei),
		    bad[i].want);
		if (strstr(ei.msg, bad[i].says) == NULL)
			fail_msg("\"%s\" lacks \"%s\"", ei.msg, bad[i].says);
		buf_free(&out);
	}
}

static void
sections_nest_to_a_limit(void **state)
{
	struct buf text = buf_make(4096), out = buf_make(PAGE_MAX);
	struct errinfo ei = { 0 };

	(void)state;
	for (int i = 0; i <= TEMPLATE_DEPTH; i++)
		buf_text(&text, "{{#a}}");
	assert_err(render(text.ptr, "{}", &out, &ei), ERR_LIMIT);
	buf_free(&text);
}

static void
a_page_grows_to_a_limit(void **state)
{
	struct buf out = buf_make(10), steps = buf_make(4096);
	struct errinfo ei = { 0 };

	(void)state;
	assert_err(
	    render("{{#l}}123{{/l}}", "{\"l\":[1,1,1,1,1,1,1]}", &out, &ei),
	    ERR_LIMIT);
	buf_free(&out);

	/* 9^9 turns that print nothing. */
	out = buf_make(PAGE_MAX);
	for (int i = 0; i < 9; i++)
		buf_text(&steps, "{{#l}}");
	buf_text(&steps, "{{x}}");
	for (int i = 0; i < 9; i++)
		buf_text(&steps, "{{/l}}");
	assert_err(render(steps.ptr, "{\"l\":[1,1,1,1,1,1,1,1,1]}", &out, &ei),
	    ERR_LIMIT);
	buf_free(&steps);
	buf_free(&out);
}

/* A catalogue of one message, as msgfmt would write it. */
static void
a_translation_may_turn_the_names_around(void **state)
{
	static const char id[] = "%{a} of %{b}", text[] = "<%{b}: %{a} %{c}>";
	const uint32_t head[] = { 0x950412de, 0, 1, 28, 36, 0, 44,
		sizeof(id) - 1, 44, sizeof(text) - 1, 44 + sizeof(id) };
	struct buf mo = buf_make(256), out = buf_make(PAGE_MAX);
	struct page_set *ps = page_set_new();
	struct errinfo ei = { 0 };
	struct i18n *vi = NULL;
	json_t *data = json_pack("{s:s, s:i}", "a", "<1>", "b", 2);

	(void)state;
	assert_non_null(ps);
	buf_add(&mo, head, sizeof(head));
	buf_add(&mo, id, sizeof(id));
	buf_add(&mo, text, sizeof(text));
	assert_ok(i18n_parse(mo.ptr, mo.len, "vi", &vi, &ei));
	assert_ok(page_add(ps, "p", span_of("{{_ %{a} of %{b}}}"), &ei));
	assert_ok(page_link(ps, &ei));
	assert_ok(page_render(ps, "p", vi, data, &out, &ei));
	assert_string_equal(out.ptr, "&lt;2: &lt;1&gt; &gt;");
	json_decref(data);
	i18n_free(vi);
	page_free(ps);
	buf_free(&out);
	buf_free(&mo);
}

/* ---- loading ---- */

static void
write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	(void)fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void
a_folder_of_templates_loads_with_its_subfolders(void **state)
{
	char dir[] = "/tmp/khien-page-XXXXXX", sub[64], command[96];
	struct page_set *ps = NULL;
	struct buf out = buf_make(PAGE_MAX);
	struct errinfo ei = { 0 };
	json_t *data = json_object();

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(sub, sizeof(sub), "%s/agents", dir);
	assert_int_equal(mkdir(sub, 0700), 0);
	write_file(sub, "list.html", "<h1>{{>head}}</h1>");
	write_file(dir, "head.html", "{{_ Agents}}");
	write_file(dir, "notes.txt", "{{broken");
	write_file(dir, ".hidden.html", "{{broken");
	assert_ok(page_load(dir, &ps, &ei));
	assert_ok(page_render(ps, "agents/list", NULL, data, &out, &ei));
	assert_string_equal(out.ptr, "<h1>Agents</h1>");
	assert_err(page_render(ps, "agents/none", NULL, data, &out, &ei),
	    ERR_NOT_FOUND);
	page_free(ps);

	ps = NULL;
	write_file(sub, "bad.html", "\n{{#a}}");
	assert_err(page_load(dir, &ps, &ei), ERR_SYNTAX);
	assert_string_equal(ei.msg, "agents/bad.html:2: {{a}} is never closed");
	assert_null(ps);
	assert_err(page_load("/no/such/folder", &ps, &ei), ERR_IO);
	json_decref(data);
	buf_free(&out);
	(void)snprintf(command, sizeof(command), "%s/bad.html", sub);
	(void)unlink(command);
	(void)snprintf(command, sizeof(command), "%s/list.html", sub);
	(void)unlink(command);
	(void)rmdir(sub);
	(void)snprintf(command, sizeof(command), "%s/head.html", dir);
	(void)unlink(command);
	(void)snprintf(command, sizeof(command), "%s/notes.txt", dir);
	(void)unlink(command);
	(void)snprintf(command, sizeof(command), "%s/.hidden.html", dir);
	(void)unlink(command);
	assert_int_equal(rmdir(dir), 0);
}

/* ---- charts ---- */

static void
a_bar_divides_and_names_its_parts(void **state)
{
	const struct page_part parts[] = {
		{ "protected", "good", 9999 },
		{ "none", "unknown", 0 },
		{ "<gap>", "bad", 1 },
	};
	struct buf out = buf_make(PAGE_MAX);

	(void)state;
	page_bar_svg(&out, "Coverage & gaps", parts, COUNT(parts));
	assert_string_equal(out.ptr,
	    "<svg class=\"chart\" role=\"img\" viewBox=\"0 0 1000 36\" "
	    "preserveAspectRatio=\"none\">"
	    "<title>Coverage &amp; gaps: protected 9999, none 0, &lt;gap&gt; 1"
	    "</title>"
	    "<rect class=\"good\" x=\"0\" width=\"994\" height=\"36\">"
	    "<title>protected: 9999</title></rect>"
	    "<rect class=\"bad\" x=\"994\" width=\"6\" height=\"36\">"
	    "<title>&lt;gap&gt;: 1</title></rect></svg>");
	buf_clear(&out);
	page_bar_svg(&out, "nothing", parts + 1, 1);
	assert_non_null(strstr(out.ptr, "<rect fill=\"none\""));
	buf_clear(&out);
	page_bar_svg(&out, "nothing", NULL, 0);
	assert_non_null(strstr(out.ptr, "<rect fill=\"none\""));
	buf_free(&out);
}

static void
a_bar_survives_the_largest_numbers(void **state)
{
	struct page_part parts[12];
	struct buf out = buf_make(PAGE_MAX);

	(void)state;
	for (size_t i = 0; i < COUNT(parts); i++)
		parts[i] = (struct page_part){ "x", "good",
			i % 2 == 0 ? INT64_MAX : -5 };
	page_bar_svg(&out, "many", parts, COUNT(parts));
	assert_null(strstr(out.ptr, "width=\"-"));
	buf_free(&out);
}

static void
a_line_breaks_at_gaps(void **state)
{
	const int64_t days[] = { 0, 50, -1, 100, -1, 7, 8 };
	struct buf out = buf_make(PAGE_MAX);

	(void)state;
	page_line_svg(&out, "Detections", days, COUNT(days));
	assert_non_null(strstr(out.ptr, "<title>Detections</title>"));
	assert_non_null(strstr(out.ptr, "points=\"48.0,148.0 145.3,80.0\""));
	assert_non_null(strstr(out.ptr, "<circle class=\"line\""));
	assert_non_null(strstr(out.ptr, ">100</text>"));
	assert_null(strstr(out.ptr, "style="));
	buf_clear(&out);
	page_line_svg(&out, "none", NULL, 0);
	assert_non_null(strstr(out.ptr, "</svg>"));
	buf_clear(&out);
	page_line_svg(&out, "big", (const int64_t[]){ INT64_MAX, -1 }, 2);
	assert_non_null(strstr(out.ptr, "</svg>"));
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(templates_show_data),
		cmocka_unit_test(mistakes_are_named_by_file_and_line),
		cmocka_unit_test(a_translation_may_turn_the_names_around),
		cmocka_unit_test(sections_nest_to_a_limit),
		cmocka_unit_test(a_page_grows_to_a_limit),
		cmocka_unit_test(
		    a_folder_of_templates_loads_with_its_subfolders),
		cmocka_unit_test(a_bar_divides_and_names_its_parts),
		cmocka_unit_test(a_bar_survives_the_largest_numbers),
		cmocka_unit_test(a_line_breaks_at_gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
