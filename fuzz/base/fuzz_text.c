#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read as a number, an instant, a day or an identifier is written
 * back the same; any bytes can be put into JSON. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = { (const char *)data, size }, rest = s;
	char text[TIME_TEXT_MAX], id_text[UUID_TEXT_MAX];
	json_t *o = json_object();
	struct uuid id;
	uint64_t n;
	int64_t ms, again;

	if (span_u64(s, 1000, &n) == OK)
		assert(n <= 1000);
	if (time_parse_rfc3339(s, &ms) == OK) {
		time_rfc3339(ms, text);
		assert(time_parse_rfc3339(span_of(text), &again) == OK);
		assert(again == ms);
	}
	if (time_parse_day(s, &ms) == OK) {
		time_day(ms, text);
		assert(span_is(s, text));
	}
	if (uuid_parse(s, &id) == OK) {
		uuid_text(id, id_text);
		assert(size == strlen(id_text));
	}
	json_put_text(o, "text", s);
	assert(json_string_value(json_object_get(o, "text")) != NULL);
	while (rest.len > 0)
		(void)span_trim(span_cut(rest, ',', &rest));
	json_decref(o);
	return 0;
}
