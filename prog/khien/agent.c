/* khien agent enrol|status|scan: the agent of this computer. */

#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "endpoint/agent.h"
#include "endpoint/enrol.h"
#include "prog/khien/khien.h"

#define DIR_DEFAULT "/var/lib/khien-agent"
#define TOKEN_MAX   4096

/* ---- enrol ---- */

int
verb_agent_enrol(const struct khien *k, int argc, char **argv)
{
	static const struct option options[] = {
		{ "token", required_argument, NULL, 't' },
		{ "token-file", required_argument, NULL, 'f' },
		{ "state", required_argument, NULL, 's' },
		{ 0 },
	};
	const char *dir = DIR_DEFAULT, *file = NULL;
	struct buf token = buf_make(TOKEN_MAX);
	struct errinfo ei = { 0 };
	enum err e = OK;
	int c;

	while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (c == 't')
			buf_text(&token, optarg);
		else if (c == 'f')
			file = optarg;
		else if (c == 's')
			dir = optarg;
		else
			return wrong_option(k, c, argv);
	}
	if (optind != argc || (file == NULL) == (token.len == 0)) {
		buf_free(&token);
		return wrong_use(k, N_("give one token"), NULL);
	}
	if (file != NULL)
		e = file_read(file, &token, &ei);
	if (e == OK)
		e = enrol(dir, buf_view(&token), &ei);
	buf_free(&token);
	if (e != OK)
		return failed(k, ei.msg);
	(void)puts(tr(k, N_("This computer has enrolled.")));
	return 0;
}

/* ---- status and scan ---- */

/* What the agent tells, in the order of what people ask first. */
static const struct {
	const char *key, *label;
} lines[] = {
	{ "fault", N_("Fault of the agent") },
	{ "scanning", N_("Scanning now") },
	{ "scans_waiting", N_("Scans waiting") },
	{ "last_scan", N_("Last complete scan") },
	{ "last_sync", N_("Last word with the centre") },
	{ "records_waiting", N_("Records the centre does not have yet") },
	{ "set_version", N_("Signature set") },
	{ "centre", N_("Centre") },
	{ "agent", N_("Agent") },
	{ "agency", N_("Agency") },
	{ "version", N_("Version") },
};

static void
put_value(const struct khien *k, const json_t *value)
{
	char people[TIME_TEXT_MAX];
	int64_t ms;

	if (json_is_boolean(value))
		(void)fputs(
		    json_is_true(value) ? tr(k, N_("yes")) : tr(k, N_("no")),
		    stdout);
	else if (json_is_integer(value))
		(void)printf("%lld", (long long)json_integer_value(value));
	else if (json_string_length(value) == 0)
		(void)fputs(tr(k, N_("none")), stdout);
	else if (time_parse_rfc3339(span_of(json_string_value(value)), &ms) ==
	    OK) {
		time_people(ms, people);
		(void)fputs(people, stdout);
	} else {
		put_escaped(stdout, span_of(json_string_value(value)));
	}
	(void)putchar('\n');
}

static void
put_status(const struct khien *k, const json_t *o)
{
	for (size_t i = 0; i < COUNT(lines); i++) {
		(void)printf("%s: ", tr(k, lines[i].label));
		put_value(k, json_object_get(o, lines[i].key));
	}
}

static int
print_answer(const struct khien *k, struct span text, bool json)
{
	const char *fault;
	json_t *o = NULL;
	int status = 0;

	if (json) {
		(void)fwrite(text.ptr, 1, text.len, stdout);
		(void)putchar('\n');
		return 0;
	}
	if (json_parse(text, &o, NULL) != OK)
		return failed(k, "the agent's answer is not JSON");
	fault = json_string_value(json_object_get(o, "error"));
	if (fault != NULL)
		status = failed(k, fault);
	else
		put_status(k, o);
	json_decref(o);
	return status;
}

static int
ask(const struct khien *k, const char *dir, const json_t *question, bool json)
{
	struct buf answer = buf_make(AGENT_ASK_MAX);
	char *text = json_dumps(question, JSON_COMPACT);
	struct errinfo ei = { 0 };
	int status;

	if (text == NULL || agent_ask(dir, span_of(text), &answer, &ei) != OK)
		status = failed(k, ei.msg);
	else
		status = print_answer(k, buf_view(&answer), json);
	free(text);
	buf_free(&answer);
	return status;
}

struct options {
	const char *dir;
	bool json;
};

/* Returns 0, or the status to end with. */
static int
read_options(const struct khien *k, int argc, char **argv, struct options *out)
{
	static const struct option options[] = {
		{ "state", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	int c;

	*out = (struct options){ .dir = DIR_DEFAULT };
	while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (c == 's')
			out->dir = optarg;
		else if (c == 'j')
			out->json = true;
		else
			return wrong_option(k, c, argv);
	}
	return 0;
}

int
verb_agent_status(const struct khien *k, int argc, char **argv)
{
	json_t *question = json_object();
	struct options opt;
	int status = read_options(k, argc, argv, &opt);

	if (status == 0 && optind != argc)
		status = wrong_use(k, N_("too many arguments"), argv[optind]);
	json_put_text(question, "do", SPAN("status"));
	if (status == 0)
		status = ask(k, opt.dir, question, opt.json);
	json_decref(question);
	return status;
}

static int
no_path(const struct khien *k, const char *path)
{
	struct errinfo ei = { 0 };

	(void)err_sys(&ei, "%s", path);
	return failed(k, ei.msg);
}

int
verb_agent_scan(const struct khien *k, int argc, char **argv)
{
	json_t *question = json_object();
	json_t *list = json_put_new(question, "paths", json_array());
	struct options opt;
	int status = read_options(k, argc, argv, &opt);

	json_put_text(question, "do", SPAN("scan"));
	for (int i = optind; status == 0 && i < argc; i++) {
		char path[PATH_MAX];

		if (realpath(argv[i], path) == NULL)
			status = no_path(k, argv[i]);
		else
			(void)json_array_append_new(list, json_string(path));
	}
	if (status == 0)
		status = ask(k, opt.dir, question, opt.json);
	json_decref(question);
	return status;
}
