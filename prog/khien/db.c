#include <getopt.h>
#include <stdlib.h>

#include "base/json.h"
#include "prog/khien/khien.h"
#include "scan/scan.h"

static void
put_count(const struct khien *k, const char *label, uint64_t n)
{
	(void)printf("%s: %llu\n", tr(k, label), (unsigned long long)n);
}

static void
put_counts(const struct khien *k, const struct scan_counts *c)
{
	put_count(k, N_("Hash signatures"), c->hashes);
	put_count(k, N_("Body signatures"), c->bodies);
	put_count(k, N_("Allowed hashes"), c->allowed);
	put_count(k, N_("YARA rules"), c->yara);
	put_count(k, N_("Link patterns"), c->links);
	put_count(k, N_("Icons"), c->icons);
	put_count(k, N_("Skipped"), c->skipped);
}

/* ---- build ----------------------------------------------------------------------- */

struct build_options {
	const char *output;
	struct scan_build_options build;
};

static int
parse_build(
    const struct khien *k, int argc, char **argv, struct build_options *opt)
{
	static const struct option known[] = {
		{ "set-version", required_argument, NULL, 'v' },
		{ "base", required_argument, NULL, 'b' },
		{ "strict", no_argument, NULL, 's' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, ":o:", known, NULL)) != -1) {
		if (c == 'o')
			opt->output = optarg;
		else if (c == 'b')
			opt->build.base = optarg;
		else if (c == 's')
			opt->build.strict = true;
		else if (c != 'v')
			return wrong_option(k, c, argv);
		else if (span_u64(span_of(optarg), INT64_MAX,
			     &opt->build.version) != OK)
			return wrong_use(
			    k, N_("--set-version is not a number"), optarg);
	}
	if (opt->output == NULL)
		return wrong_use(k, N_("-o FILE is missing"), NULL);
	if (optind == argc)
		return wrong_use(k, N_("no signature file"), NULL);
	return 0;
}

static void
on_problem(void *arg, const struct scan_problem *p)
{
	(void)arg;
	put_escaped(stderr, span_of(p->file));
	(void)fprintf(stderr, ":%zu: ", p->line);
	put_escaped(stderr, span_of(p->reason));
	(void)fputc('\n', stderr);
}

int
verb_db_build(const struct khien *k, int argc, char **argv)
{
	struct build_options opt = { .build = { .version = 1 } };
	struct scan_counts counts;
	struct errinfo ei = { 0 };
	int status = parse_build(k, argc, argv, &opt);

	if (status != 0)
		return status;
	if (scan_build_files((const char *const *)argv + optind,
		(size_t)(argc - optind), opt.output, &opt.build, on_problem,
		NULL, &counts, &ei) != OK)
		return failed(k, ei.msg);
	put_counts(k, &counts);
	return 0;
}

/* ---- info ------------------------------------------------------------------------ */

static void
put_info_json(const struct scan_set_info *info)
{
	const struct scan_counts *c = &info->counts;
	json_t *o = json_object();
	char hex[65], *text;

	hex_encode(info->digest, sizeof(info->digest), hex);
	json_put_int(o, "set_version", (int64_t)info->version);
	json_put_time(o, "built", info->built_ms);
	json_put_int(o, "size", (int64_t)info->file_size);
	json_put_text(o, "digest", span_of(hex));
	json_put_int(o, "hashes", (int64_t)c->hashes);
	json_put_int(o, "bodies", (int64_t)c->bodies);
	json_put_int(o, "allowed", (int64_t)c->allowed);
	json_put_int(o, "yara", (int64_t)c->yara);
	json_put_int(o, "links", (int64_t)c->links);
	json_put_int(o, "icons", (int64_t)c->icons);
	json_put_int(o, "skipped", (int64_t)c->skipped);
	text = json_dumps(o, JSON_COMPACT);
	if (text != NULL)
		(void)puts(text);
	free(text);
	json_decref(o);
}

static void
put_info(const struct khien *k, const struct scan_set_info *info)
{
	char built[TIME_TEXT_MAX], hex[65];

	time_people(info->built_ms, built);
	hex_encode(info->digest, sizeof(info->digest), hex);
	put_count(k, N_("Signature set"), info->version);
	(void)printf("%s: %s\n", tr(k, N_("Built")), built);
	put_count(k, N_("Bytes"), info->file_size);
	(void)printf("%s: %s\n", tr(k, N_("Digest")), hex);
	put_counts(k, &info->counts);
}

static int
parse_info(const struct khien *k, int argc, char **argv, bool *json)
{
	static const struct option known[] = {
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, ":", known, NULL)) != -1) {
		if (c != 'j')
			return wrong_option(k, c, argv);
		*json = true;
	}
	if (optind == argc)
		return wrong_use(k, N_("no signature set named"), NULL);
	if (optind + 1 < argc)
		return wrong_use(k, N_("more than one set"), argv[optind + 1]);
	return 0;
}

int
verb_db_info(const struct khien *k, int argc, char **argv)
{
	struct scan_pool_options po = {
		.workers = 1, .user = "nobody", .limits = scan_limits_default
	};
	struct scan_pool *pool = NULL;
	struct errinfo ei = { 0 };
	bool json = false;
	int status = parse_info(k, argc, argv, &json);

	if (status != 0)
		return status;
	/* A worker opens it: the file may come from anywhere. */
	po.set_path = argv[optind];
	if (scan_pool_new(&po, &pool, &ei) != OK)
		return failed(k, ei.msg);
	if (json)
		put_info_json(scan_pool_info(pool));
	else
		put_info(k, scan_pool_info(pool));
	scan_pool_free(pool);
	return 0;
}

/* ---- verify, find, explain, diff ----------------------------------------------------- */

#define ROWS_MAX 1000u

static const char *const labels[SCAN_LABELS] = {
	[SCAN_L_HASH] = N_("hash"),
	[SCAN_L_ALLOWED] = N_("allowed"),
	[SCAN_L_INDICATOR] = N_("indicator"),
	[SCAN_L_SECTION] = N_("hash of a section"),
	[SCAN_L_IMPORT] = N_("hash of imports"),
	[SCAN_L_LINK] = N_("link"),
	[SCAN_L_BODY] = N_("body"),
	[SCAN_L_TRUSTED] = N_("trusted certificate"),
	[SCAN_L_BLOCKED] = N_("blocked certificate"),
	[SCAN_L_ICON] = N_("icon"),
	[SCAN_L_ADDED] = N_("added"),
	[SCAN_L_REMOVED] = N_("removed"),
	[SCAN_L_TARGET] = N_("target"),
	[SCAN_L_CONDITION] = N_("condition"),
	[SCAN_L_EXPRESSION] = N_("expression"),
	[SCAN_L_SUB] = N_("subsignature"),
	[SCAN_L_PATTERN] = N_("pattern"),
	[SCAN_L_ANCHOR] = N_("anchor (subsignature.variant.part+place, bytes)"),
	[SCAN_L_NO_ANCHOR] =
	    N_("no anchor: evaluated for every object, which is slow"),
};

struct shown {
	const struct khien *k;
	uint64_t rows;
};

/* "Win.Test.A  body  main.ldb", or a line of an explanation below it. */
static void
show_row(void *arg, const struct scan_row *row)
{
	struct shown *s = arg;
	const char *label = tr(s->k, labels[row->label]);

	if (row->name[0] == '\0') {
		(void)printf("    %s", label);
		if (row->text[0] != '\0')
			(void)printf(": ");
		put_escaped(stdout, span_of(row->text));
		(void)putchar('\n');
		return;
	}
	s->rows++;
	put_escaped(stdout, span_of(row->name));
	(void)printf("  %s", label);
	if (row->text[0] != '\0')
		(void)printf(" ");
	put_escaped(stdout, span_of(row->text));
	(void)printf("  ");
	put_escaped(stdout, span_of(row->source));
	(void)putchar('\n');
}

struct inspect_options {
	uint64_t rows;
	const char *set, *other, *text;
};

/* SET [OTHER|TEXT] */
static int
parse_inspect(const struct khien *k, int argc, char **argv, enum scan_ask ask,
    struct inspect_options *o)
{
	static const struct option known[] = {
		{ "rows", required_argument, NULL, 'r' },
		{ 0 },
	};
	bool needs_other = ask == SCAN_ASK_DIFF;
	bool needs_text = ask == SCAN_ASK_FIND;
	int c, most = ask == SCAN_ASK_VERIFY ? 1 : 2;

	o->rows = ROWS_MAX;
	while ((c = getopt_long(argc, argv, ":", known, NULL)) != -1) {
		if (c != 'r')
			return wrong_option(k, c, argv);
		if (span_u64(span_of(optarg), UINT32_MAX, &o->rows) != OK)
			return wrong_use(
			    k, N_("--rows is not a number"), optarg);
	}
	if (optind == argc)
		return wrong_use(k, N_("no signature set named"), NULL);
	if (optind + most < argc)
		return wrong_use(
		    k, N_("too many arguments"), argv[optind + most]);
	if (optind + 1 == argc && needs_other)
		return wrong_use(k, N_("the second set is missing"), NULL);
	if (optind + 1 == argc && needs_text)
		return wrong_use(k, N_("no name to look for"), NULL);
	o->set = argv[optind];
	o->text = o->other = NULL;
	if (optind + 1 < argc && needs_other)
		o->other = argv[optind + 1];
	else if (optind + 1 < argc)
		o->text = argv[optind + 1];
	return 0;
}

static int
inspect(const struct khien *k, int argc, char **argv, enum scan_ask ask,
    uint64_t *rows)
{
	struct inspect_options o = { 0 };
	struct shown shown = { k, 0 };
	struct scan_query q = { .ask = ask };
	struct errinfo ei = { 0 };
	int status = parse_inspect(k, argc, argv, ask, &o);

	if (status != 0)
		return status;
	q.text = span_of(o.text);
	q.rows = o.rows;
	if (scan_inspect(o.set, o.other, &q, show_row, &shown, &ei) != OK)
		return failed(k, ei.msg);
	*rows = shown.rows;
	return 0;
}

int
verb_db_verify(const struct khien *k, int argc, char **argv)
{
	uint64_t rows;

	return inspect(k, argc, argv, SCAN_ASK_VERIFY, &rows);
}

/* As grep(1): 1 when there is none. */
int
verb_db_find(const struct khien *k, int argc, char **argv)
{
	uint64_t rows = 0;
	int status = inspect(k, argc, argv, SCAN_ASK_FIND, &rows);

	return status == 0 && rows == 0 ? 1 : status;
}

int
verb_db_explain(const struct khien *k, int argc, char **argv)
{
	uint64_t rows = 0;
	int status = inspect(k, argc, argv, SCAN_ASK_EXPLAIN, &rows);

	return status == 0 && rows == 0 ? 1 : status;
}

/* As diff(1): 1 when they differ. */
int
verb_db_diff(const struct khien *k, int argc, char **argv)
{
	uint64_t rows = 0;
	int status = inspect(k, argc, argv, SCAN_ASK_DIFF, &rows);

	return status == 0 && rows > 0 ? 1 : status;
}
