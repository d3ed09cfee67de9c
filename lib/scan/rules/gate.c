#include "scan/rules/gate.h"

#include "formats/bytes.h"

enum num { NUM_KNOWN, NUM_UNDEFINED, NUM_UNKNOWN };

static enum num
number(const uint32_t *w, const struct gate_object *o, int64_t *out);

/* ---- evaluation ------------------------------------------------------------ */

static enum num
read_number(const uint32_t *w, const struct gate_object *o, int64_t *out)
{
	uint32_t how = w[2], width = how & GATE_WIDTH, v = 0;
	unsigned char raw[4];
	int64_t at;
	enum num n = number(w + 3, o, &at);

	if (n != NUM_KNOWN)
		return n;
	if (width == 0 || width > sizeof(raw) || at < 0 ||
	    !bytes_load(o->bytes, (uint64_t)at, raw, width))
		return NUM_UNDEFINED;
	for (uint32_t i = 0; i < width; i++)
		v = v << 8 | raw[(how & GATE_BIG) != 0 ? i : width - 1 - i];
	*out = v;
	if ((how & GATE_SIGNED) != 0 && v >> (8 * width - 1) != 0)
		*out -= INT64_C(1) << (8 * width);
	return NUM_KNOWN;
}

static enum num
calculate(const uint32_t *w, const struct gate_object *o, int64_t *out)
{
	const uint32_t *right = w + 2 + w[3];
	int64_t a, b;
	enum num n = number(w + 2, o, &a), m = number(right, o, &b);

	if (n == NUM_UNDEFINED || m == NUM_UNDEFINED)
		return NUM_UNDEFINED;
	if (n != NUM_KNOWN || m != NUM_KNOWN)
		return NUM_UNKNOWN;
	*out = a & b;
	if ((w[0] == GATE_ADD && __builtin_add_overflow(a, b, out)) ||
	    (w[0] == GATE_SUB && __builtin_sub_overflow(a, b, out)))
		return NUM_UNKNOWN;
	return NUM_KNOWN;
}

static enum num
number(const uint32_t *w, const struct gate_object *o, int64_t *out)
{
	switch (w[0]) {
	case GATE_CONST:
		*out = (int64_t)((uint64_t)w[3] << 32 | w[2]);
		return NUM_KNOWN;
	case GATE_SIZE:
		*out = (int64_t)o->bytes.len;
		return NUM_KNOWN;
	case GATE_READ:
		return read_number(w, o, out);
	default:
		return calculate(w, o, out);
	}
}

static bool
compare(const uint32_t *w, const struct gate_object *o)
{
	int64_t a, b;
	enum num n = number(w + 3, o, &a), m = number(w + 3 + w[4], o, &b);

	if (n == NUM_UNDEFINED || m == NUM_UNDEFINED)
		return false;
	if (n != NUM_KNOWN || m != NUM_KNOWN)
		return true;
	switch (w[2]) {
	case GATE_EQ:
		return a == b;
	case GATE_NE:
		return a != b;
	case GATE_LT:
		return a < b;
	case GATE_LE:
		return a <= b;
	case GATE_GT:
		return a > b;
	default:
		return a >= b;
	}
}

static bool
enough(const uint32_t *w, const struct gate_object *o)
{
	uint32_t found = 0;

	for (uint32_t i = 3; i < w[1] && found < w[2]; i++)
		found += o->hits[w[i]];
	return found >= w[2];
}

bool
gate_open(const uint32_t *w, const struct gate_object *o)
{
	bool all = w[0] == GATE_AND;

	switch (w[0]) {
	case GATE_STRING:
		return o->hits[w[2]] != 0;
	case GATE_OF:
		return enough(w, o);
	case GATE_CMP:
		return compare(w, o);
	case GATE_AND:
	case GATE_OR:
		for (uint32_t at = 2; at < w[1]; at += w[at + 1])
			if (gate_open(w + at, o) != all)
				return !all;
		return all;
	default:
		return true;
	}
}

/* ---- form ------------------------------------------------------------------ */

static bool
numbers_fit(const uint32_t *w, uint32_t from, uint32_t n, uint32_t depth);

static bool
number_fits(const uint32_t *w, uint32_t room, uint32_t depth)
{
	uint32_t width;

	if (depth > GATE_DEPTH || room < 2 || w[1] < 2 || w[1] > room)
		return false;
	switch (w[0]) {
	case GATE_CONST:
		return w[1] == 4;
	case GATE_SIZE:
		return w[1] == 2;
	case GATE_READ:
		if (w[1] < 3)
			return false;
		width = w[2] & GATE_WIDTH;
		return (width == 1 || width == 2 || width == 4) &&
		    numbers_fit(w, 3, 1, depth);
	case GATE_ADD:
	case GATE_SUB:
	case GATE_BITS:
		return numbers_fit(w, 2, 2, depth);
	default:
		return false;
	}
}

/* The node w consists of n numbers from `from` on. */
static bool
numbers_fit(const uint32_t *w, uint32_t from, uint32_t n, uint32_t depth)
{
	uint32_t at = from;

	for (uint32_t i = 0; i < n; i++) {
		if (at > w[1] || !number_fits(w + at, w[1] - at, depth + 1))
			return false;
		at += w[at + 1];
	}
	return at == w[1];
}

static bool
strings_fit(const uint32_t *w, uint32_t from, uint32_t strings)
{
	for (uint32_t i = from; i < w[1]; i++)
		if (w[i] >= strings)
			return false;
	return true;
}

static bool
node_fits(const uint32_t *w, uint32_t room, uint32_t strings, uint32_t depth)
{
	uint32_t at = 2;

	if (depth > GATE_DEPTH || room < 2 || w[1] < 2 || w[1] > room)
		return false;
	switch (w[0]) {
	case GATE_TRUE:
		return w[1] == 2;
	case GATE_STRING:
		return w[1] == 3 && strings_fit(w, 2, strings);
	case GATE_OF:
		return w[1] >= 3 && strings_fit(w, 3, strings);
	case GATE_CMP:
		return w[1] >= 3 && w[2] <= GATE_GE &&
		    numbers_fit(w, 3, 2, depth);
	case GATE_AND:
	case GATE_OR:
		for (; at < w[1]; at += w[at + 1])
			if (!node_fits(w + at, w[1] - at, strings, depth + 1))
				return false;
		return true;
	default:
		return false;
	}
}

bool
gate_check(const uint32_t *program, size_t n, uint32_t strings)
{
	return n >= 2 && n <= GATE_WORDS && program[1] == n &&
	    node_fits(program, (uint32_t)n, strings, 0);
}
