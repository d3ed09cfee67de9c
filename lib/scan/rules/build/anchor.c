#include "scan/rules/build/anchor.h"

#include <string.h>

#define CROWD     4u  /* needles of one anchor that cost it a point */
#define CROWD_MAX 200 /* points, of which a byte gives up to 40 */

/* By hand, from what programs and texts are full of. */
static uint32_t
byte_score(unsigned char c)
{
	static const char common[] = " etaoinsrhldcu0\n\r\xcc\x90";
	static const char frequent[] = "\x8b\x89\x01\x24";

	if (c == 0x00)
		return 1;
	if (c == 0xff)
		return 4;
	if (strchr(common, c) != NULL)
		return 5;
	if ((c >= 'a' && c <= 'z') || strchr(frequent, c) != NULL)
		return 8;
	return 10;
}

/* 0 is for bytes that are all the same. */
static int32_t
score_of(const unsigned char *bytes, uint32_t width)
{
	uint32_t score = 0, same = 0;

	for (uint32_t i = 0; i < width; i++) {
		score += byte_score(needle_fold(bytes[i]));
		same += i > 0 && bytes[i] == bytes[i - 1];
	}
	return same + 1 == width ? 0 : (int32_t)score;
}

static uint32_t
hash_of(const unsigned char *bytes)
{
	unsigned char folded[RULES_WIDTH];
	uint32_t word;

	for (size_t i = 0; i < sizeof(folded); i++)
		folded[i] = needle_fold(bytes[i]);
	memcpy(&word, folded, sizeof(word));
	return word * RULES_FACTOR;
}

static int32_t
crowd_of(const struct crowds *c, const unsigned char *bytes)
{
	int32_t crowd;

	if (c == NULL)
		return 0;
	crowd = (int32_t)(c->count[hash_of(bytes) >> 16] / CROWD);
	return crowd < CROWD_MAX ? crowd : CROWD_MAX;
}

static bool
whole(const unsigned char *masks, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (masks[i] != 0xff)
			return false;
	return true;
}

bool
anchor_place(struct run r, uint32_t width, const struct crowds *c, uint32_t *at,
    int32_t *score)
{
	bool any = false;

	for (size_t i = 0; i + width <= r.len; i++) {
		int32_t its;

		if (r.masks != NULL && !whole(r.masks + i, width))
			continue;
		its =
		    4 * score_of(r.bytes + i, width) - crowd_of(c, r.bytes + i);
		if (any && its <= *score)
			continue;
		any = true;
		*score = its;
		*at = (uint32_t)i;
	}
	return any;
}

bool
anchor_choose(struct run r, struct crowds *c, uint32_t *at, uint32_t *hash)
{
	int32_t score;

	if (!anchor_place(r, RULES_WIDTH, c, at, &score))
		return false;
	*hash = hash_of(r.bytes + *at);
	if (c->count[*hash >> 16] < UINT16_MAX)
		c->count[*hash >> 16]++;
	return true;
}

/* Where the differences are no zeros, at best. */
void
anchor_choose_xor(struct run r, uint32_t *at, uint32_t *hash)
{
	unsigned best = 0;

	for (uint32_t i = 0; i + NEEDLE_XOR_MIN <= r.len; i++) {
		unsigned char differ[RULES_WIDTH];
		unsigned score = 1;
		uint32_t word;

		for (uint32_t k = 0; k < RULES_WIDTH; k++) {
			differ[k] = r.bytes[i + k] ^ r.bytes[i + k + 1];
			score += differ[k] != 0 &&
			    (k == 0 || differ[k] != differ[k - 1]);
		}
		if (score <= best)
			continue;
		best = score;
		*at = i;
		memcpy(&word, differ, sizeof(word));
		*hash = word * RULES_XOR_FACTOR;
	}
}
