#include "testing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "endpoint/spool_int.h"

static char base[] = "/tmp/khien-spool-XXXXXX";
static char dir[64];

static void
empty_folder(void)
{
	char path[512];
	DIR *d = opendir(dir);
	struct dirent *de;

	while (d != NULL && (de = readdir(d)) != NULL) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, de->d_name);
		(void)unlink(path);
	}
	if (d != NULL)
		(void)closedir(d);
}

static struct spool *
open_spool(uint64_t bytes_max)
{
	struct spool_options opt = {
		.dir = dir, .bytes_max = bytes_max, .clock = &clock_system
	};
	struct errinfo ei = { 0 };
	struct spool *sp = NULL;

	assert_ok(spool_open(&opt, &sp, &ei));
	return sp;
}

static uint64_t
add(struct spool *sp, enum spool_class kind, const char *text)
{
	struct errinfo ei = { 0 };
	uint64_t n = 0;

	assert_ok(spool_add(sp, kind, span_of(text), &n, &ei));
	return n;
}

struct peeked {
	struct arena *a;
	struct spool_record *rec;
	size_t n;
};

static struct peeked
peek(struct spool *sp, size_t max, size_t bytes)
{
	struct peeked p = { .a = arena_new(256u << 20) };
	struct errinfo ei = { 0 };

	assert_ok(spool_peek(sp, p.a, max, bytes, &p.rec, &p.n, &ei));
	return p;
}

static void
crc_is_that_of_the_norm(void **state)
{
	(void)state;
	assert_int_equal(crc32c(SPAN("123456789")), 0xe3069283u);
	assert_int_equal(crc32c(SPAN("")), 0);
}

static void
records_come_back_in_order_until_they_are_acknowledged(void **state)
{
	struct errinfo ei = { 0 };
	struct peeked p;
	struct spool *sp;
	struct uuid id;

	(void)state;
	empty_folder();
	sp = open_spool(0);
	id = spool_id(sp);
	assert_int_equal(add(sp, SPOOL_DETECTION, "one"), 1);
	assert_int_equal(add(sp, SPOOL_EVENT, ""), 2);
	assert_int_equal(add(sp, SPOOL_EVENT, "three"), 3);
	assert_int_equal(spool_waiting(sp), 3);
	spool_close(sp);

	sp = open_spool(0);
	assert_true(uuid_eq(id, spool_id(sp)));
	p = peek(sp, 2, 1000);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.rec[0].number, 1);
	assert_int_equal(p.rec[0].kind, SPOOL_DETECTION);
	assert_true(span_is(p.rec[0].body, "one"));
	assert_int_equal(p.rec[1].body.len, 0);
	arena_free(p.a);
	assert_ok(spool_ack(sp, 2, &ei));
	assert_ok(spool_ack(sp, 1, &ei));
	assert_int_equal(spool_waiting(sp), 1);
	spool_close(sp);

	sp = open_spool(0);
	assert_int_equal(spool_waiting(sp), 1);
	p = peek(sp, 10, 1);
	assert_int_equal(p.n, 1);
	assert_true(span_is(p.rec[0].body, "three"));
	assert_ok(spool_ack(sp, 3, &ei));
	assert_int_equal(spool_waiting(sp), 0);
	assert_int_equal(add(sp, SPOOL_EVENT, "four"), 4);
	arena_free(p.a);
	spool_close(sp);
}

static void
one_process_at_a_time(void **state)
{
	struct spool_options opt = { .dir = dir, .clock = &clock_system };
	struct spool *sp = open_spool(0), *second = NULL;
	struct errinfo ei = { 0 };

	(void)state;
	assert_err(spool_open(&opt, &second, &ei), ERR_BUSY);
	assert_null(second);
	spool_close(sp);
}

static void
limits_of_records_and_batches(void **state)
{
	static char big[SPOOL_RECORD_MAX + 1];
	struct errinfo ei = { 0 };
	struct spool *sp;
	struct peeked p;

	(void)state;
	empty_folder();
	sp = open_spool(0);
	assert_err(spool_add(sp, SPOOL_EVENT, (struct span){ big, sizeof(big) },
		       NULL, &ei),
	    ERR_LIMIT);
	for (int i = 0; i < 40; i++)
		assert_ok(spool_add(sp, SPOOL_EVENT,
		    (struct span){ big, SPOOL_RECORD_MAX }, NULL, &ei));
	p = peek(sp, 500, 256 << 10);
	assert_int_equal(p.n, 4);
	arena_free(p.a);
	p = peek(sp, 500, 10);
	assert_int_equal(p.n, 1);
	arena_free(p.a);
	p = peek(sp, 500, 64 << 20);
	assert_int_equal(p.n, 40);
	assert_int_equal(p.rec[39].number, 40);
	arena_free(p.a);
	/* Segments that have arrived are gone. */
	assert_ok(spool_ack(sp, 40, &ei));
	spool_close(sp);
	sp = open_spool(0);
	assert_int_equal(spool_waiting(sp), 0);
	assert_int_equal(add(sp, SPOOL_EVENT, "next"), 41);
	spool_close(sp);
}

/* ---- kill -9 ------------------------------------------------------------ */

#define BODY "%08llu %.*s"

/* Adds, and acknowledges now and then; says each number once it is durable. */
static void __attribute__((noreturn)) add_for_ever(int tell)
{
	static char fill[30000];
	struct errinfo ei = { 0 };
	struct spool *sp = open_spool(0);
	struct spool_record *rec;
	char text[32000];
	uint64_t n = 0;
	size_t count;

	memset(fill, 'f', sizeof(fill));
	for (unsigned i = 1;; i++) {
		struct arena *a = arena_new(64u << 20);
		uint64_t told[2] = { 0 };

		(void)snprintf(text, sizeof(text), BODY, (unsigned long long)i,
		    (int)(i * 7919 % 30000), fill);
		if (spool_add(sp, SPOOL_EVENT, span_of(text), &n, &ei) != OK)
			_exit(1);
		told[0] = n;
		if (i % 50 == 0) {
			if (spool_peek(sp, a, 20, 1 << 20, &rec, &count, &ei) !=
			    OK)
				_exit(2);
			/* What the centre has stored. */
			told[1] = rec[count - 1].number;
		}
		if (write(tell, told, sizeof(told)) != sizeof(told))
			_exit(3);
		if (told[1] != 0 && spool_ack(sp, told[1], &ei) != OK)
			_exit(4);
		arena_free(a);
	}
}

static void
nothing_acknowledged_is_lost_or_doubled_by_kill_9(void **state)
{
	uint64_t added = 0, stored = 0, told[2];

	(void)state;
	empty_folder();
	/* More of them where a busy machine lets few records be added. */
	for (int i = 0; i < 50 || (added <= 50 && i < 1000); i++) {
		struct spool *sp;
		struct peeked p;
		int fds[2];
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		if (pid == 0)
			add_for_ever(fds[1]);
		(void)close(fds[1]);
		(void)usleep((useconds_t)(1000 + random_below(60000)));
		(void)kill(pid, SIGKILL);
		while (read(fds[0], told, sizeof(told)) == sizeof(told)) {
			added = told[0];
			stored = told[1] != 0 ? told[1] : stored;
		}
		(void)close(fds[0]);
		(void)waitpid(pid, NULL, 0);

		sp = open_spool(0);
		p = peek(sp, 100000, 250u << 20);
		/* The first is the one behind those that were acknowledged, or
		 * about to be. */
		if (p.n > 0 && p.rec[0].number <= stored)
			assert_true(stored - p.rec[0].number < 20);
		else if (p.n > 0)
			assert_int_equal(p.rec[0].number, stored + 1);
		for (size_t k = 0; k < p.n; k++) {
			assert_int_equal(p.rec[k].kind, SPOOL_EVENT);
			assert_int_equal(p.rec[k].number, p.rec[0].number + k);
		}
		assert_true(p.n == 0 ? added <= stored
				     : p.rec[p.n - 1].number >= added);
		assert_int_equal(p.n, spool_waiting(sp));
		arena_free(p.a);
		spool_close(sp);
	}
	assert_true(added > 50);
}

/* ---- damage --------------------------------------------------------------- */

static void
path_of(char out[512], const char *name)
{
	(void)snprintf(out, 512, "%s/%s", dir, name);
}

static struct buf
slurp(const char *name)
{
	struct buf b = buf_make(8u << 20);
	struct errinfo ei = { 0 };
	char path[512];

	path_of(path, name);
	assert_ok(file_read(path, &b, &ei));
	return b;
}

static void
spit(const char *name, struct span bytes)
{
	char path[512];
	int fd;

	path_of(path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes.ptr, bytes.len), (ssize_t)bytes.len);
	(void)close(fd);
}

#define RECORDS 12
static const char segment_1[] = "0000000000000001.spool";

static void
text_of(uint64_t number, char out[64])
{
	(void)snprintf(
	    out, 64, "{\"the\":\"record %llu\"}", (unsigned long long)number);
}

/* What is there is as it was; what is not is named by gaps, up to `to`. */
static void
check_account(const struct peeked *p, uint64_t to)
{
	uint64_t next = 1;

	for (size_t i = 0; i < p->n; i++) {
		const struct spool_record *rec = &p->rec[i];
		struct errinfo ei = { 0 };
		int64_t from = 0, upto = 0;
		json_t *gap = NULL;
		char text[64];

		if (rec->kind != SPOOL_GAP) {
			assert_int_equal(rec->number, next);
			text_of(rec->number, text);
			assert_true(span_is(rec->body, text));
			next++;
			continue;
		}
		assert_ok(json_parse(rec->body, &gap, &ei));
		assert_ok(json_get_int(gap, "from", 0, 1 << 20, &from, &ei));
		assert_ok(json_get_int(gap, "to", 0, 1 << 20, &upto, &ei));
		json_decref(gap);
		assert_int_equal(from, next);
		assert_int_equal(upto, rec->number);
		next = rec->number + 1;
	}
	assert_true(next > to);
}

static void
fill_small(void)
{
	struct spool *sp;
	struct peeked p;
	char text[64];

	empty_folder();
	sp = open_spool(0);
	for (uint64_t i = 1; i <= RECORDS; i++) {
		text_of(i, text);
		add(sp, i % 3 == 0 ? SPOOL_DETECTION : SPOOL_EVENT, text);
	}
	p = peek(sp, 6, 1 << 20); /* the first six were handed out */
	arena_free(p.a);
	spool_close(sp);
}

static void
open_and_check(uint64_t upto)
{
	struct spool *sp = open_spool(0);
	struct peeked p = peek(sp, 1000, 1 << 20), again;
	size_t n = p.n;

	check_account(&p, upto);
	assert_int_equal(spool_waiting(sp), n);
	arena_free(p.a);
	spool_close(sp);
	/* Repaired for good: a second opening finds the same. */
	sp = open_spool(0);
	again = peek(sp, 1000, 1 << 20);
	assert_int_equal(again.n, n);
	arena_free(again.a);
	spool_close(sp);
}

static void
a_flipped_byte_anywhere_loses_what_it_hit_and_says_so(void **state)
{
	struct buf sound, seg_state;

	(void)state;
	fill_small();
	sound = slurp(segment_1);
	seg_state = slurp("state");
	for (size_t i = 0; i < sound.len; i++) {
		struct spool *sp;
		struct peeked p;
		size_t gaps = 0;

		for (unsigned bit = 1; bit <= 0x80; bit <<= 3) {
			sound.ptr[i] = (char)(sound.ptr[i] ^ (char)bit);
			spit(segment_1, buf_view(&sound));
			spit("state", buf_view(&seg_state));
			sound.ptr[i] = (char)(sound.ptr[i] ^ (char)bit);
			open_and_check(RECORDS);
		}
		sp = open_spool(0);
		p = peek(sp, 1000, 1 << 20);
		for (size_t k = 0; k < p.n; k++)
			gaps += p.rec[k].kind == SPOOL_GAP;
		assert_true(gaps <= 1 && p.n >= RECORDS);
		arena_free(p.a);
		spool_close(sp);
	}
	buf_free(&sound);
	buf_free(&seg_state);
}

static void
a_segment_cut_anywhere_keeps_what_is_before(void **state)
{
	struct buf sound, seg_state;

	(void)state;
	fill_small();
	sound = slurp(segment_1);
	seg_state = slurp("state");
	for (size_t n = 0; n < sound.len; n++) {
		struct spool *sp;

		spit(segment_1, (struct span){ sound.ptr, n });
		spit("state", buf_view(&seg_state));
		/* Six were handed out: they may be known at the centre. */
		open_and_check(6);
		sp = open_spool(0);
		assert_true(add(sp, SPOOL_EVENT, "new") > 6);
		spool_close(sp);
	}
	buf_free(&sound);
	buf_free(&seg_state);
}

static void
a_lost_or_damaged_state_file_loses_no_record(void **state)
{
	struct buf sound, seg_state;
	char path[512];

	(void)state;
	fill_small();
	sound = slurp(segment_1);
	seg_state = slurp("state");
	for (size_t i = 0; i < seg_state.len; i++) {
		seg_state.ptr[i] = (char)(seg_state.ptr[i] ^ 0x10);
		spit("state", buf_view(&seg_state));
		seg_state.ptr[i] = (char)(seg_state.ptr[i] ^ 0x10);
		open_and_check(RECORDS);
	}
	path_of(path, "state");
	(void)unlink(path);
	open_and_check(RECORDS);
	/* Both lost: a new spool. */
	(void)unlink(path);
	path_of(path, segment_1);
	(void)unlink(path);
	open_and_check(0);
	buf_free(&sound);
	buf_free(&seg_state);
}

static void
a_lost_segment_is_a_gap(void **state)
{
	static char body[SPOOL_RECORD_MAX];
	struct errinfo ei = { 0 };
	struct spool *sp;
	struct peeked p;
	char path[512];

	(void)state;
	for (int which = 0; which < 3; which++) {
		static const char *const names[] = {
			"0000000000000001.spool",
			"0000000000000010.spool",
			"000000000000001f.spool",
		};

		empty_folder();
		sp = open_spool(0);
		for (int i = 0; i < 40; i++)
			assert_ok(spool_add(sp, SPOOL_DETECTION,
			    (struct span){ body, sizeof(body) }, NULL, &ei));
		p = peek(sp, 1000, 64 << 20);
		assert_int_equal(p.n, 40);
		arena_free(p.a);
		spool_close(sp);
		path_of(path, names[which]);
		assert_int_equal(unlink(path), 0);
		sp = open_spool(0);
		p = peek(sp, 1000, 64 << 20);
		assert_int_equal(p.n, which == 2 ? 31 : 26);
		assert_int_equal(p.rec[which == 0      ? 0
					  : which == 1 ? 15
						       : 30]
				     .kind,
		    SPOOL_GAP);
		assert_int_equal(p.rec[p.n - 1].number, 40);
		arena_free(p.a);
		spool_close(sp);
	}
}

static void
damage_under_our_hands_is_noticed_while_reading(void **state)
{
	struct buf b;
	struct spool *sp;
	struct peeked p;

	(void)state;
	fill_small();
	sp = open_spool(0);
	b = slurp(segment_1);
	b.ptr[100] = (char)(b.ptr[100] ^ 1);
	spit(segment_1, buf_view(&b));
	p = peek(sp, 1000, 1 << 20);
	check_account(&p, RECORDS);
	assert_int_equal(add(sp, SPOOL_EVENT, "more"), RECORDS + 1);
	arena_free(p.a);
	buf_free(&b);
	spool_close(sp);
	sp = open_spool(0);
	assert_int_equal(spool_waiting(sp), RECORDS + 1);
	spool_close(sp);
}

static void
a_folder_set_back_in_time_gets_a_new_id(void **state)
{
	struct errinfo ei = { 0 };
	struct spool *sp;
	struct uuid id;

	(void)state;
	fill_small();
	sp = open_spool(0);
	id = spool_id(sp);
	assert_ok(spool_ack(sp, RECORDS + 5, &ei));
	assert_false(uuid_eq(id, spool_id(sp)));
	assert_int_equal(spool_waiting(sp), RECORDS);
	id = spool_id(sp);
	spool_close(sp);
	sp = open_spool(0);
	assert_true(uuid_eq(id, spool_id(sp)));
	spool_close(sp);
	open_and_check(RECORDS);
}

/* ---- room ------------------------------------------------------------------ */

static void
when_full_the_oldest_events_give_way_and_detections_stay(void **state)
{
	static char body[2000];
	struct errinfo ei = { 0 };
	struct spool *sp;
	struct peeked p;
	size_t detections = 0, gaps = 0;
	enum err e;

	(void)state;
	memset(body, 'b', sizeof(body));
	empty_folder();
	sp = open_spool(3u << 20);
	for (int i = 0; i < 4000; i++)
		assert_ok(
		    spool_add(sp, i % 100 == 0 ? SPOOL_DETECTION : SPOOL_EVENT,
			(struct span){ body, sizeof(body) }, NULL, &ei));
	p = peek(sp, 10000, 64 << 20);
	for (size_t i = 0; i < p.n; i++) {
		detections += p.rec[i].kind == SPOOL_DETECTION;
		gaps += p.rec[i].kind == SPOOL_GAP;
	}
	assert_int_equal(detections, 40);
	assert_true(gaps > 0 && gaps < 60);
	assert_int_equal(p.rec[p.n - 1].number, 4000);
	assert_int_equal(p.n, spool_waiting(sp));
	arena_free(p.a);
	do
		e = spool_add(sp, SPOOL_DETECTION,
		    (struct span){ body, sizeof(body) }, NULL, &ei);
	while (e == OK);
	assert_err(e, ERR_LIMIT);
	/* What has arrived makes room. */
	p = peek(sp, 1000, 64 << 20);
	assert_ok(spool_ack(sp, p.rec[p.n - 1].number, &ei));
	add(sp, SPOOL_DETECTION, "fits again");
	arena_free(p.a);
	spool_close(sp);
}

static void
a_full_disk_fails_the_add_and_harms_nothing(void **state)
{
	static char body[3000];
	struct rlimit old, small = { 20000, RLIM_INFINITY };
	struct errinfo ei = { 0 };
	struct spool *sp;
	int added = 0;
	enum err e;

	(void)state;
	empty_folder();
	sp = open_spool(0);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)getrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	while ((e = spool_add(sp, SPOOL_DETECTION,
		    (struct span){ body, sizeof(body) }, NULL, &ei)) == OK)
		added++;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_err(e, ERR_IO);
	assert_int_equal(ei.sys_errno, EFBIG);
	assert_int_equal(added, 6);
	assert_int_equal(add(sp, SPOOL_EVENT, "after"), 7);
	spool_close(sp);
	sp = open_spool(0);
	assert_int_equal(spool_waiting(sp), 7);
	spool_close(sp);
}

static int
make_folder(void **state)
{
	(void)state;
	if (mkdtemp(base) == NULL)
		return -1;
	(void)snprintf(dir, sizeof(dir), "%s/spool", base);
	return 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	empty_folder();
	return rmdir(dir) != 0 || rmdir(base) != 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_is_that_of_the_norm),
		cmocka_unit_test(
		    records_come_back_in_order_until_they_are_acknowledged),
		cmocka_unit_test(one_process_at_a_time),
		cmocka_unit_test(limits_of_records_and_batches),
		cmocka_unit_test(
		    nothing_acknowledged_is_lost_or_doubled_by_kill_9),
		cmocka_unit_test(
		    a_flipped_byte_anywhere_loses_what_it_hit_and_says_so),
		cmocka_unit_test(a_segment_cut_anywhere_keeps_what_is_before),
		cmocka_unit_test(a_lost_or_damaged_state_file_loses_no_record),
		cmocka_unit_test(a_lost_segment_is_a_gap),
		cmocka_unit_test(
		    damage_under_our_hands_is_noticed_while_reading),
		cmocka_unit_test(a_folder_set_back_in_time_gets_a_new_id),
		cmocka_unit_test(
		    when_full_the_oldest_events_give_way_and_detections_stay),
		cmocka_unit_test(a_full_disk_fails_the_add_and_harms_nothing),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
