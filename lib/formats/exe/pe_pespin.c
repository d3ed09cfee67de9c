#include "formats/exe/pe_pack.h"

/* PESpin 1.1 (cyberbob).  Sections are packed with aPLib, then encrypted byte
 * by byte by steps that were made anew for the program, then by a key that is
 * the less by a checksum of the file.  Which of them are is in bitmaps.  The
 * stub lies in layers, each of which decrypts the next one:
 *	1	from the entry point on; a key that counts down
 *	2	its loop is in what 1 decrypts; a key that is shifted
 *	3	its loop is in 2, as the one for sections is; the same
 *	4	its steps are in 3, the steps for sections are in 4
 * Code is found by its looks, addresses count from what the stub's first call
 * makes of its own.  The original entry point, which is in no one place, and
 * the imports are not restored. */

#define HEAD_MAX 0x200u /* from the entry point to the first loop */
#define NEAR     0x80u  /* from operands to the loop that uses them */
#define HERE     9u     /* what the first call pushes, behind the entry point */
#define SECTION  40u
#define BITS     32u /* of a bitmap of sections */
#define TICK     (1u << 16)

/* A part of the image. */
struct layer {
	uint64_t at, n;
};

struct spin {
	struct pe_image *im;
	struct peel *out;
	uint32_t base; /* what added to an operand makes an offset */
	struct layer first, second, third, fourth;
	uint32_t key, keyed; /* of sections, and which have it */
	uint32_t stepped, packed;
	struct steps steps;
};

/* The operand of an instruction that was found. */
static uint32_t
operand(const struct spin *s, uint64_t at)
{
	uint32_t v;

	(void)bytes_le32(buf_view(&s->im->bytes), at, &v);
	return v;
}

/* What is at ebp + the operand. */
static uint64_t
place(const struct spin *s, uint64_t at)
{
	return (uint32_t)(s->base + operand(s, at));
}

static bool
layer_set(const struct spin *s, struct layer *l, uint64_t at, uint64_t n)
{
	*l = (struct layer){ at, n };
	return n > 0 && bytes_have(buf_view(&s->im->bytes), at, n);
}

static bool
find_in(
    const struct spin *s, const struct layer *l, struct pattern p, uint64_t *at)
{
	return code_find(buf_view(&s->im->bytes), l->at, l->n, p, at);
}

/* ---- keys that are shifted ------------------------------------------------------- */

/* shr KEY, 1; jc or jnc; xor KEY, FEEDBACK; xor [edi], KEY */
struct shifted {
	uint32_t key, feedback;
	bool when; /* the carry with which it is fed back */
};

#define JC 0x72

/* The operands of the loop, of which `at` is the jump. */
static bool
shifted_read(const struct spin *s, uint64_t at, struct shifted *k)
{
	uint8_t jump;

	(void)bytes_u8(buf_view(&s->im->bytes), at, &jump);
	k->feedback = operand(s, at + 4);
	k->when = jump != JC;
	return jump == JC || jump == JC + 1;
}

static bool
shifted_do(struct spin *s, struct layer l, struct shifted k)
{
	uint8_t *p = (uint8_t *)s->im->bytes.ptr + l.at;

	for (uint64_t i = 0; i < l.n; i++) {
		bool carry = (k.key & 1) != 0;

		if (i % TICK == TICK - 1 && !peel_tick(s->out))
			return false;
		k.key >>= 1;
		if (carry == k.when)
			k.key ^= k.feedback;
		p[i] ^= (uint8_t)k.key;
	}
	return true;
}

/* ---- layers ------------------------------------------------------------------------ */

/* mov ebx, KEY; mov ecx, SIZE; lea edi, [ebp + PLACE]; dec edi */
static const int16_t first_code[] = { 0xbb, ANY, 0, 0, 0, 0xb9, ANY, ANY, ANY,
	ANY, 0x8d, 0xbd, ANY, ANY, ANY, ANY, 0x4f };
/* mov ebx, KEY; push SIZE; pop ecx; lea edi, [ebp + PLACE]; sub edi, LESS;
 * and the loop */
static const int16_t second_code[] = { 0xbb, ANY, ANY, ANY, ANY, 0x68, ANY, ANY,
	ANY, ANY, 0x59, 0x8d, 0xbd, ANY, ANY, ANY, ANY, 0x81, 0xef, ANY, ANY,
	ANY, ANY, 0xd1, 0xeb, ANY, 0x06, 0x81, 0xf3, ANY, ANY, ANY, ANY, 0x30,
	0x1f };
/* push SIZE; pop ecx; lea edi, [ebp + PLACE]; mov edx, KEY */
static const int16_t third_code[] = { 0x68, ANY, ANY, ANY, ANY, 0x59, 0x8d,
	0xbd, ANY, ANY, ANY, ANY, 0xba, ANY, ANY, ANY, ANY };
/* shr edx, 1; jc or jnc; xor edx, FEEDBACK; xor [edi], dl */
static const int16_t loop_code[] = { 0xd1, 0xea, ANY, 0x06, 0x81, 0xf2, ANY,
	ANY, ANY, ANY, 0x30, 0x17 };
/* lea edi, [ebp + PLACE]; mov ecx, SIZE */
static const int16_t fourth_code[] = { 0x8d, 0xbd, ANY, ANY, ANY, ANY, 0xb9,
	ANY, ANY, ANY, ANY };
/* mov al, [edi] */
static const int16_t load_code[] = { 0x8a, 0x07 };
/* stosb; dec ecx */
static const struct span steps_end = { "\xaa\x49", 2 };

static bool
first_decrypt(struct spin *s, uint64_t entry)
{
	uint8_t *p = (uint8_t *)s->im->bytes.ptr, key;
	uint64_t at;

	if (!code_find(buf_view(&s->im->bytes), entry, HEAD_MAX,
		PATTERN(first_code), &at) ||
	    !layer_set(s, &s->first, place(s, at + 12), operand(s, at + 6)))
		return false;
	key = p[at + 1];
	for (uint64_t i = s->first.n; i-- > 0; key--)
		p[s->first.at + i] ^= key;
	return true;
}

static bool
second_decrypt(struct spin *s)
{
	struct shifted k;
	uint64_t at;

	if (!find_in(s, &s->first, PATTERN(second_code), &at) ||
	    !layer_set(s, &s->second,
		(uint32_t)(place(s, at + 13) - operand(s, at + 19)),
		operand(s, at + 6)) ||
	    !shifted_read(s, at + 25, &k))
		return false;
	k.key = operand(s, at + 1);
	return shifted_do(s, s->second, k);
}

static bool
third_decrypt(struct spin *s)
{
	struct span all = buf_view(&s->im->bytes);
	struct shifted k;
	uint64_t at, loop;

	if (!find_in(s, &s->second, PATTERN(third_code), &at) ||
	    !layer_set(s, &s->third, place(s, at + 8), operand(s, at + 1)) ||
	    !code_find(all, at, NEAR, PATTERN(loop_code), &loop) ||
	    !shifted_read(s, loop + 2, &k))
		return false;
	k.key = operand(s, at + 13);
	return shifted_do(s, s->third, k);
}

static bool
fourth_decrypt(struct spin *s)
{
	struct span all = buf_view(&s->im->bytes);
	struct steps steps;
	uint64_t at, load;

	return find_in(s, &s->third, PATTERN(fourth_code), &at) &&
	    layer_set(s, &s->fourth, place(s, at + 2), operand(s, at + 7)) &&
	    code_find(all, at, NEAR, PATTERN(load_code), &load) &&
	    steps_read(all, load + 2, steps_end, &steps) &&
	    steps_do(&steps, &s->im->bytes, s->fourth.at, (uint32_t)s->fourth.n,
		(uint32_t)s->fourth.n, s->out);
}

/* ---- sections ----------------------------------------------------------------------- */

/* mov ebx, [ebp + BITMAP]; xor eax, eax */
static const int16_t keyed_code[] = { 0x8b, 0x9d, ANY, ANY, ANY, ANY, 0x33,
	0xc0 };
/* mov edx, [ebp + KEY]; and the loop */
static const int16_t key_code[] = { 0x8b, 0x95, ANY, ANY, ANY, ANY, 0xd1, 0xea,
	ANY, 0x06, 0x81, 0xf2, ANY, ANY, ANY, ANY, 0x30, 0x17 };
/* pop ecx; sub ecx, LESS; lea edi */
static const int16_t size_code[] = { 0x59, 0x81, 0xe9, ANY, ANY, ANY, ANY, 0x8d,
	0xbd };
/* xor al, bh; add eax, TERM; xor eax, ebx */
static const int16_t sum_code[] = { 0x32, 0xc7, 0x05, ANY, ANY, ANY, ANY, 0x33,
	0xc3 };
/* push BITMAP; pop ebx */
static const int16_t stepped_code[] = { 0x68, ANY, ANY, ANY, ANY, 0x5b };
/* mov ecx, [edx + SIZE]; push eax; mov al, [edi] */
static const int16_t steps_code[] = { 0x8b, 0x4a, 0x10, 0x50, 0x8a, 0x07 };
/* mov ebx, BITMAP; sub eax, eax; push ecx */
static const int16_t packed_code[] = { 0xbb, ANY, ANY, ANY, ANY, 0x2b, 0xc0,
	0x51 };

static uint32_t
rotate_right(uint32_t v, unsigned n)
{
	n %= 32;
	return n == 0 ? v : v >> n | v << (32 - n);
}

/* The stub's checksum of a file. */
static bool
checksum(struct span file, uint32_t term, uint32_t *out, struct peel *ticker)
{
	uint32_t a = UINT32_MAX, b = UINT32_MAX;

	for (size_t i = 0; i < file.len; i++) {
		if (i % TICK == TICK - 1 && !peel_tick(ticker))
			return false;
		a = (a ^ (uint32_t)(uint8_t)file.ptr[i] << 8) >> 3;
		for (unsigned turn = 0; turn < 4; turn++) {
			uint32_t next = ((a ^ (b >> 8 & 0xff)) + term) ^ b;

			next = rotate_right(next, b & 31);
			a = b;
			b = next;
		}
	}
	*out = b;
	return true;
}

static bool
key_read(struct spin *s, struct span object, struct shifted *k)
{
	uint64_t at, size, sum, keyed;
	uint32_t less, check;

	if (!find_in(s, &s->second, PATTERN(keyed_code), &keyed) ||
	    !find_in(s, &s->second, PATTERN(key_code), &at) ||
	    !find_in(s, &s->second, PATTERN(size_code), &size) ||
	    !find_in(s, &s->first, PATTERN(sum_code), &sum) ||
	    !shifted_read(s, at + 8, k))
		return false;
	less = operand(s, size + 3);
	if (less > object.len ||
	    !checksum(bytes_sub(object, 0, object.len - less),
		operand(s, sum + 3), &check, s->out))
		return false;
	k->key = operand(s, place(s, at + 2)) - check;
	s->keyed = operand(s, place(s, keyed + 2));
	return true;
}

/* Back into its place; not more than the section has in memory. */
static bool
section_unpack(struct spin *s, const struct pe_part *p, size_t *room)
{
	struct pe_image *im = s->im;
	size_t begin = im->bytes.len, from = p->va - im->base, to = begin;
	bool ok;

	if (p->size > *room)
		return false;
	*room -= p->size;
	/* One more: before the end mark comes there must be room. */
	for (uint64_t i = 0; i <= p->size; i++)
		buf_char(&im->bytes, 0);
	ok = !im->bytes.full && aplib_unpack(im, &from, &to, p->size, s->out) &&
	    to > begin;
	if (ok)
		memcpy(im->bytes.ptr + (p->va - im->base),
		    im->bytes.ptr + begin, to - begin);
	buf_cut(&im->bytes, begin);
	return ok;
}

/* No two may share bytes: so the work is a few walks over the file. */
static bool
sections_do(struct spin *s, struct span object, const struct exe *x,
    const struct shifted *k)
{
	size_t raw_room = object.len, room = s->im->bytes.len;

	for (uint32_t i = 0; i + 1 < s->im->parts && i < BITS; i++) {
		const struct pe_part *p = &s->im->part[i];
		uint32_t size, bit = 1u << i;
		struct layer l = { p->va - s->im->base, 0 };

		(void)bytes_le32(
		    object, x->sections_at + (uint64_t)i * SECTION + 16, &size);
		l.n = size < p->size ? size : p->size;
		if (l.n > raw_room)
			return false;
		raw_room -= l.n;
		if (((s->keyed & bit) != 0 && !shifted_do(s, l, *k)) ||
		    ((s->stepped & bit) != 0 &&
			!steps_do(&s->steps, &s->im->bytes, l.at, (uint32_t)l.n,
			    size, s->out)) ||
		    ((s->packed & bit) != 0 && !section_unpack(s, p, &room)))
			return false;
	}
	return true;
}

static bool
all_unpack(
    struct spin *s, struct span object, const struct exe *x, uint64_t entry)
{
	struct span all;
	struct shifted k;
	uint64_t stepped, steps, packed;

	if (!first_decrypt(s, entry) || !second_decrypt(s) ||
	    !key_read(s, object, &k) || !third_decrypt(s) || !fourth_decrypt(s))
		return false;
	all = buf_view(&s->im->bytes);
	if (!find_in(s, &s->fourth, PATTERN(stepped_code), &stepped) ||
	    !find_in(s, &s->fourth, PATTERN(steps_code), &steps) ||
	    !find_in(s, &s->first, PATTERN(packed_code), &packed) ||
	    !steps_read(all, steps + 6, steps_end, &s->steps))
		return false;
	s->stepped = operand(s, stepped + 1);
	s->packed = operand(s, packed + 1);
	return sections_do(s, object, x, &k);
}

enum unpacked
pe_pespin(struct span object, const struct exe *x, struct peel *out,
    struct pe_image *im)
{
	struct spin s = { .im = im, .out = out };
	uint32_t entry, less, delta;
	uint64_t at = x->entry;

	if (x->pe32plus || x->sections < 2 ||
	    !pe_entry_rva(object, x, &entry) ||
	    !bytes_are(object, at,
		SPAN("\xeb\x01\x68\x60\xe8\0\0\0\0\x8b\x1c\x24\x83\xc3\x12"
		     "\x81\x2b")) ||
	    !bytes_le32(object, at + 17, &less) ||
	    !bytes_are(object, at + 21, SPAN("\xfe\x4b\xfd\x82\x2c\x24")) ||
	    !bytes_le32(object, at + 27, &delta))
		return UNPACKED_NOT;
	if (!pe_image_map(object, x, im) || entry < im->base)
		return UNPACKED_BROKEN;
	s.base = entry + HERE - (delta - less) - im->base;
	/* What is unpacked goes behind it for a while. */
	im->bytes.max = 2 * im->bytes.max + 1;
	if (!all_unpack(&s, object, x, entry - im->base))
		return UNPACKED_BROKEN;
	im->entry = im->part[0].va;
	im->parts--;
	return UNPACKED_DONE;
}
