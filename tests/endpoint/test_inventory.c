#include "testing.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "endpoint/inventory.h"

static char root[PATH_MAX];

struct laid {
	const char *path, *text;
};

/* Lays out files below a new root. */
static void
lay_out(const struct laid *files)
{
	struct errinfo ei = { 0 };

	(void)snprintf(root, sizeof(root), "/tmp/khien-inventory-XXXXXX");
	assert_non_null(mkdtemp(root));
	for (; files->path != NULL; files++) {
		char path[PATH_MAX * 2];
		struct buf dir = buf_make(PATH_MAX);

		(void)snprintf(path, sizeof(path), "%s%s", root, files->path);
		buf_add(&dir, path, (size_t)(strrchr(path, '/') - path));
		assert_ok(file_make_dir(dir.ptr, 0755, &ei));
		if (files->text != NULL)
			assert_ok(file_replace(
			    path, span_of(files->text), 0644, &ei));
		buf_free(&dir);
	}
}

static void
clear(void)
{
	char command[PATH_MAX + 16];

	(void)snprintf(command, sizeof(command), "rm -rf %s", root);
	assert_int_equal(system(command), 0);
}

static const struct laid desktop[] = {
	{ "/proc/sys/kernel/hostname", "pc-vanthu-01\n" },
	{ "/proc/sys/kernel/osrelease", "6.1.0-13-amd64\n" },
	{ "/proc/meminfo", "MemTotal:       8048576 kB\nMemFree: 1 kB\n" },
	{ "/proc/cpuinfo",
	    "processor\t: 0\nmodel name\t: Intel(R) Core(TM) i5\n\n"
	    "processor\t: 1\nmodel name\t: Intel(R) Core(TM) i5\n" },
	{ "/etc/os-release",
	    "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"
	    "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n" },
	{ "/etc/machine-id", "00112233445566778899aabbccddeeff\n" },
	{ "/sys/class/dmi/id/chassis_type", "3\n" },
	{ "/sys/class/dmi/id/product_uuid",
	    "4c4c4544-0042-3510-8052-b4c04f4d3832\n" },
	{ "/sys/class/dmi/id/product_serial", "7B5RM82\n" },
	{ "/sys/block/sda/size", "1000215216\n" },
	{ "/sys/block/sda/removable", "0\n" },
	{ "/sys/block/sda/device/model", "DISK\n" },
	{ "/sys/block/sdb/size", "60000000\n" },
	{ "/sys/block/sdb/removable", "1\n" },
	{ "/sys/block/sdb/device/model", "STICK\n" },
	{ "/sys/block/loop0/size", "2000\n" },
	{ "/sys/class/net/lo/address", "00:00:00:00:00:00\n" },
	{ "/sys/class/net/docker0/address", "02:42:aa:bb:cc:dd\n" },
	{ "/sys/class/net/enp3s0/address", "b4:c0:4f:11:22:33\n" },
	{ "/sys/class/net/enp3s0/addr_assign_type", "0\n" },
	{ "/sys/class/net/enp3s0/device/vendor", "0x8086\n" },
	{ "/sys/class/net/wlan0/address", "da:01:02:03:04:05\n" },
	{ "/sys/class/net/wlan0/addr_assign_type", "0\n" },
	{ "/sys/class/net/wlan0/device/vendor", "0x8086\n" },
	{ "/sys/class/net/wlan0/phy80211/name", "phy0\n" },
	{ NULL, NULL },
};

static void
says(const json_t *o, const char *key, const char *want)
{
	struct errinfo ei = { 0 };
	struct span s;

	assert_ok(json_get_text(o, key, 300, &s, &ei));
	if (!span_is(s, want))
		fail_msg("%s is \"%.*s\", want \"%s\"", key, SPAN_ARG(s), want);
}

static void
a_desktop_is_described(void **state)
{
	struct errinfo ei = { 0 };
	const json_t *macs;
	json_t *o = NULL;
	int64_t n = 0;

	(void)state;
	lay_out(desktop);
	assert_ok(inventory_read(root, &o, &ei));
	says(o, "host", "pc-vanthu-01");
	says(o, "kind", "workstation");
	says(o, "os", "Debian GNU/Linux");
	says(o, "os_version", "12");
	says(o, "kernel", "6.1.0-13-amd64");
	says(o, "cpu", "Intel(R) Core(TM) i5");
	assert_ok(json_get_int(o, "memory_mb", 0, 1 << 30, &n, &ei));
	assert_int_equal(n, 7859);
	assert_ok(json_get_int(o, "disk_mb", 0, 1 << 30, &n, &ei));
	assert_int_equal(n, 488386);
	assert_ok(json_get_array(o, "macs", 64, &macs, &ei));
	assert_int_equal(json_array_size(macs), 2);
	json_decref(o);
	clear();
}

static void
what_cannot_be_read_is_left_out(void **state)
{
	static const struct laid bare[] = {
		{ "/proc/meminfo", "MemTotal: lots of kB\n" },
		{ "/proc/cpuinfo", "\xff\xfe: no text\nmodel name: \xff\n" },
		{ "/etc/os-release", "NAME\nVERSION_ID=\n=\n" },
		{ "/sys/class/dmi/id/chassis_type", "999999999999999999999\n" },
		{ "/sys/block/sda/size", "-5\n" },
		{ "/sys/block/sda/device/model", "x\n" },
		{ "/sys/class/net/eth0/address", "garbage\n" },
		{ "/sys/class/net/eth0/device/x", "\n" },
		{ NULL, NULL },
	};
	static const char *const absent[] = { "host", "os", "os_version",
		"kernel", "cpu", "memory_mb", "disk_mb" };
	char print[65] = "";
	struct errinfo ei = { 0 };
	json_t *o = NULL;

	(void)state;
	lay_out(bare);
	assert_ok(inventory_read(root, &o, &ei));
	for (size_t i = 0; i < COUNT(absent); i++)
		assert_null(json_object_get(o, absent[i]));
	assert_int_equal(json_array_size(json_object_get(o, "macs")), 0);
	json_decref(o);
	assert_ok(inventory_fingerprint(root, print, &ei));
	assert_int_equal(strlen(print), 64);
	clear();
}

static void
the_kind_follows_the_chassis_then_the_desktop(void **state)
{
	static const struct {
		const char *name;
		struct laid files[3];
		const char *want;
	} cases[] = {
		{ "rack",
		    { { "/sys/class/dmi/id/chassis_type", "23\n" },
			{ "/usr/share/xsessions/x.desktop", "" } },
		    "server" },
		{ "laptop", { { "/sys/class/dmi/id/chassis_type", "10\n" } },
		    "workstation" },
		{ "tablet", { { "/sys/class/dmi/id/chassis_type", "30\n" } },
		    "terminal" },
		{ "virtual desktop",
		    { { "/sys/class/dmi/id/chassis_type", "1\n" },
			{ "/usr/share/wayland-sessions/x.desktop", "" } },
		    "workstation" },
		{ "virtual server",
		    { { "/sys/class/dmi/id/chassis_type", "1\n" } }, "server" },
		{ "nothing known", { { NULL, NULL } }, "server" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct errinfo ei = { 0 };
		json_t *o = NULL;

		TEST_CASE(cases[i].name);
		lay_out(cases[i].files);
		assert_ok(inventory_read(root, &o, &ei));
		says(o, "kind", cases[i].want);
		json_decref(o);
		clear();
	}
}

/* The fingerprint of the desktop with some files changed. */
static void
print_with(const struct laid *changes, char out[65])
{
	struct laid files[COUNT(desktop) + 8];
	struct errinfo ei = { 0 };
	size_t n = 0;

	for (; desktop[n].path != NULL; n++) {
		files[n] = desktop[n];
		for (const struct laid *c = changes; c->path != NULL; c++)
			if (strcmp(c->path, desktop[n].path) == 0)
				files[n].text = c->text;
	}
	files[n] = (struct laid){ NULL, NULL };
	lay_out(files);
	assert_ok(inventory_fingerprint(root, out, &ei));
	clear();
}

#define DMI "/sys/class/dmi/id/"
static void
the_fingerprint_tells_a_clone_and_ignores_what_comes_and_goes(void **state)
{
	static const struct {
		const char *name;
		struct laid changes[4];
		bool same;
	} cases[] = {
		{ "nothing", { { NULL, NULL } }, true },
		{ "other network card",
		    { { "/sys/class/net/enp3s0/address",
			"00:11:22:33:44:55\n" } },
		    true },
		{ "renamed", { { "/proc/sys/kernel/hostname", "x" } }, true },
		{ "another board",
		    { { DMI "product_uuid",
			"11111111-2222-3333-4444-555555555555" } },
		    false },
		{ "another serial number", { { DMI "product_serial", "X1" } },
		    false },
		{ "another machine-id",
		    { { "/etc/machine-id",
			"ff112233445566778899aabbccddeeff" } },
		    false },
	};
	static const struct laid fakes[][3] = {
		{ { DMI "product_uuid",
		      "03000200-0400-0500-0006-000700080009" },
		    { DMI "product_serial", "To be filled by O.E.M." } },
		{ { DMI "product_uuid",
		      "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF" },
		    { DMI "product_serial", "Default string" } },
		{ { DMI "product_uuid",
		      "00000000-0000-0000-0000-000000000000" },
		    { DMI "product_serial", "0" } },
		{ { DMI "product_uuid", "" }, { DMI "product_serial", "" } },
	};
	static const struct laid card[] = {
		{ DMI "product_uuid", "Not Settable" },
		{ DMI "product_serial", "None" },
		{ "/sys/class/net/enp3s0/address", "00:11:22:33:44:55\n" },
		{ NULL, NULL },
	};
	char first[65], other[65], fake[65];

	(void)state;
	print_with(cases[0].changes, first);
	for (size_t i = 0; i < COUNT(cases); i++) {
		TEST_CASE(cases[i].name);
		print_with(cases[i].changes, other);
		assert_int_equal(strcmp(first, other) == 0, cases[i].same);
	}
	/* Fake values are as good as none: then the card counts. */
	print_with(fakes[0], fake);
	for (size_t i = 1; i < COUNT(fakes); i++) {
		print_with(fakes[i], other);
		assert_string_equal(fake, other);
	}
	print_with(card, other);
	assert_string_not_equal(fake, other);
}

static void
this_computer_is_readable(void **state)
{
	char one[65], two[65];
	struct errinfo ei = { 0 };
	json_t *o = NULL;

	(void)state;
	assert_ok(inventory_read("", &o, &ei));
	assert_non_null(json_object_get(o, "host"));
	assert_non_null(json_object_get(o, "memory_mb"));
	json_decref(o);
	assert_ok(inventory_fingerprint("", one, &ei));
	assert_ok(inventory_fingerprint("", two, &ei));
	assert_string_equal(one, two);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_desktop_is_described),
		cmocka_unit_test(what_cannot_be_read_is_left_out),
		cmocka_unit_test(the_kind_follows_the_chassis_then_the_desktop),
		cmocka_unit_test(
		    the_fingerprint_tells_a_clone_and_ignores_what_comes_and_goes),
		cmocka_unit_test(this_computer_is_readable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
