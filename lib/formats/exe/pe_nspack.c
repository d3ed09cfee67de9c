#include "formats/exe/pe_pack.h"

/* NsPack 2.x (North Star).  The stub begins with
 *	pushfd; pushad; call $ + 5; pop ebp; mov eax, 7; sub ebp, eax;
 *	lea esi, [ebp + DATA]
 * and ends with a jump to the original entry point.  Its data hold where,
 * counted from the entry point, the one stream of LZMA stands that becomes the
 * first section: behind its properties, their dictionary, and the sizes packed
 * and unpacked. */

#define LEA      17u /* the operand of lea, in the stub */
#define JUMP     0x27au
#define JUMP_END (JUMP + 5)
#define STREAM   0x54u /* in front of DATA: where the stream stands */
#define HEAD     13u   /* of the stream */
#define BITS     225u  /* what properties there are */

/* A jump at the entry point may lead to the stub; the image's offset of it. */
static bool
stub_find(struct span all, uint64_t entry, uint64_t *stub)
{
	uint32_t jump;

	*stub = entry;
	if (bytes_are(all, entry, SPAN("\xe9")) &&
	    bytes_le32(all, entry + 1, &jump))
		*stub = (uint32_t)(entry + 5 + jump);
	return bytes_are(
	    all, *stub, SPAN("\x9c\x60\xe8\0\0\0\0\x5d\xb8\x07\0\0\0"));
}

/* The stream's place, and how long it becomes. */
static bool
stream_find(struct span all, uint64_t stub, uint64_t *at, uint32_t *size)
{
	uint32_t data, from;

	if (!bytes_le32(all, stub + LEA, &data) ||
	    !bytes_le32(all, (uint32_t)(stub + data - STREAM), &from))
		return false;
	*at = (uint32_t)(stub + from);
	return bytes_le32(all, *at + 9, size);
}

static bool
stream_unpack(struct pe_image *im, uint64_t at, uint32_t size, struct peel *out)
{
	struct span all = buf_view(&im->bytes);
	struct buf b = buf_make(size);
	struct lzma_bits bits;
	uint8_t byte;
	bool ok;

	(void)bytes_u8(all, at, &byte);
	bits.context = byte % 9;
	bits.position_literal = byte / 9 % 5;
	bits.position = byte / 45;
	ok = byte < BITS &&
	    lzma_unpack(bits, bytes_sub(all, at + HEAD, UINT64_MAX), &b, out) &&
	    b.len == size;
	if (ok)
		memcpy(
		    im->bytes.ptr + (im->part[0].va - im->base), b.ptr, b.len);
	buf_free(&b);
	return ok;
}

static uint32_t
original_entry(const struct pe_image *im, uint64_t stub)
{
	struct span all = buf_view(&im->bytes);
	uint32_t jump;

	if (!bytes_are(all, stub + JUMP, SPAN("\xe9")) ||
	    !bytes_le32(all, stub + JUMP + 1, &jump))
		return im->part[0].va;
	return (uint32_t)(stub + im->base + JUMP_END + jump);
}

/* Looks at the file before the image is made: quickly. */
static bool
is_stub(struct span object, const struct exe *x, uint32_t entry)
{
	uint64_t at = x->entry, stub;
	uint32_t jump;

	if (bytes_are(object, at, SPAN("\xe9")) &&
	    bytes_le32(object, at + 1, &jump) &&
	    !exe_offset(object, x, (uint32_t)(entry + 5 + jump), &at))
		return false;
	return stub_find(object, at, &stub) && stub == at;
}

enum unpacked
pe_nspack(struct span object, const struct exe *x, struct peel *out,
    struct pe_image *im)
{
	uint32_t entry, size;
	uint64_t stub, at;

	if (x->pe32plus || x->sections < 2 ||
	    !pe_entry_rva(object, x, &entry) || !is_stub(object, x, entry))
		return UNPACKED_NOT;
	if (!pe_image_map(object, x, im) || entry < im->base ||
	    !stub_find(buf_view(&im->bytes), entry - im->base, &stub) ||
	    !stream_find(buf_view(&im->bytes), stub, &at, &size) || size == 0 ||
	    size != im->part[0].size || !stream_unpack(im, at, size, out))
		return UNPACKED_BROKEN;
	im->entry = original_entry(im, stub);
	/* What was packed stands behind, and is not kept. */
	im->parts = 1;
	buf_cut(&im->bytes, im->part[0].va - im->base + (size_t)size);
	return UNPACKED_DONE;
}
