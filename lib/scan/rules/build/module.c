#include "scan/rules/build/module.h"

uint32_t
module_bit(struct span name)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} modules[] = {
		{ "hash", MODULE_CHEAP },
		{ "math", MODULE_CHEAP },
		{ "time", MODULE_CHEAP },
		{ "console", MODULE_CHEAP },
		{ "pe", MODULE_PE },
		{ "elf", MODULE_ELF },
		{ "dotnet", MODULE_DOTNET },
		{ "macho", MODULE_MACHO },
	};

	for (size_t i = 0; i < COUNT(modules); i++)
		if (span_is(name, modules[i].name))
			return modules[i].bit;
	return MODULE_OTHER;
}

const struct gate_node *
module_begins(struct gate_maker *m, uint32_t modules)
{
	static const struct {
		uint32_t modules, read, value;
	} begins[] = {
		{ MODULE_PE | MODULE_DOTNET, 2, 0x5a4d },
		{ MODULE_ELF, 4 | GATE_BIG, 0x7f454c46 },
		/* either byte order, thin and fat, 32 and 64 bits */
		{ MODULE_MACHO, 4 | GATE_BIG, 0xfeedface },
		{ MODULE_MACHO, 4 | GATE_BIG, 0xfeedfacf },
		{ MODULE_MACHO, 4 | GATE_BIG, 0xcefaedfe },
		{ MODULE_MACHO, 4 | GATE_BIG, 0xcffaedfe },
		{ MODULE_MACHO, 4 | GATE_BIG, 0xcafebabe },
		{ MODULE_MACHO, 4 | GATE_BIG, 0xcafebabf },
		{ MODULE_MACHO, 4 | GATE_BIG, 0xbebafeca },
		{ MODULE_MACHO, 4 | GATE_BIG, 0xbfbafeca },
	};
	const struct gate_node *any[COUNT(begins)];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(begins); i++)
		if ((begins[i].modules & modules) != 0)
			any[n++] = gate_compare(m, GATE_EQ,
			    gate_read(m, begins[i].read, gate_constant(m, 0)),
			    gate_constant(m, begins[i].value));
	return n == 0 ? NULL : gate_join(m, GATE_OR, any, n);
}
