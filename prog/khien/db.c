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
	put_count(k, N_("Skipped"), c->skipped);
}

/* ---- build ----------------------------------------------------------------------- */

struct build_options {
	const char *output;
	uint64_t version;
};

static int
parse_build(
    const struct khien *k, int argc, char **argv, struct build_options *opt)
{
	static const struct option known[] = {
		{ "set-version", required_argument, NULL, 'v' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, ":o:", known, NULL)) != -1) {
		if (c == 'o')
			opt->output = optarg;
		else if (c != 'v')
			return wrong_option(k, c, argv);
		else if (span_u64(span_of(optarg), INT64_MAX, &opt->version) !=
		    OK)
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
	struct build_options opt = { .version = 1 };
	struct scan_counts counts;
	struct errinfo ei = { 0 };
	int status = parse_build(k, argc, argv, &opt);

	if (status != 0)
		return status;
	if (scan_build_files((const char *const *)argv + optind,
		(size_t)(argc - optind), opt.output, opt.version, on_problem,
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
