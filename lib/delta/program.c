/* What a record says about a program, and the order of the transforms. */
#include "delta/cli_internal.h"

#define CHECKSUM 64u /* in the optional header */
#define EXECUTABLE 0x20000000u

/* ---- the preprocess stream ---- */

bool ib_delta_program_read(struct ib_delta_span preprocess, size_t limit, struct ib_delta_program *ret,
			   struct ib_error **err)
{
	struct ib_delta_bits b;

	ib_delta_bits_init(&b, preprocess.data, preprocess.size);
	ret->image_base = ib_delta_bits(&b, 64);
	(void)ib_delta_bits(&b, 32); /* the target's checksum, which the patch brings anyway */
	ret->timestamp = (uint32_t)ib_delta_bits(&b, 32);
	ret->to_file.max = ret->to_target.max = limit;
	return ib_delta_rift_read(&b, &ret->to_file, err) && ib_delta_cli_layout_read(&b, &ret->cli, err) &&
	       ib_delta_rift_read(&b, &ret->to_target, err) && ib_delta_cli_map_read(&b, limit, &ret->cli_map, err);
}

void ib_delta_program_clear(struct ib_delta_program *p)
{
	ib_delta_rift_clear(&p->to_file);
	ib_delta_rift_clear(&p->to_target);
	for (size_t i = 0; i < IB_DELTA_HEAPS; i++)
		ib_delta_rift_clear(&p->cli_map.heaps[i]);
	for (size_t i = 0; i < IB_DELTA_TABLE_COUNT; i++)
		ib_delta_rift_clear(&p->cli_map.tables[i]);
}

/* ---- helpers of all transforms ---- */

int64_t ib_delta_map_slow(const struct ib_delta_rift *r, struct ib_delta_cache *c, int64_t x)
{
	if (r->n == 0) {
		*c = (struct ib_delta_cache){ .low = INT64_MIN, .high = INT64_MAX };
		return x;
	}
	size_t i = ib_delta_rift_find(r, x);
	bool below = x < r->e[0].from;
	c->low = below ? INT64_MIN : r->e[i].from;
	c->high = below ? r->e[0].from : i + 1 < r->n ? r->e[i + 1].from : INT64_MAX;
	c->shift = (uint64_t)r->e[i].to - (uint64_t)r->e[i].from;
	return (int64_t)((uint64_t)x + c->shift);
}

bool ib_delta_spend(struct ib_delta_job *j, uint64_t steps, struct ib_error **err)
{
	if (steps > j->work)
		return ib_throw(err, IB_ERR_INPUT, "the source program's tables point into each other without end");
	j->work -= steps;
	return true;
}

void ib_delta_map_field(struct ib_delta_job *j, size_t at)
{
	if (at > j->size || j->size - at < 4 || ib_le32(j->bytes + at) == 0)
		return;
	ib_put_le32(j->bytes + at, (uint32_t)ib_delta_map(j, ib_le32(j->bytes + at)));
	ib_delta_mark(j, at, 4, IB_DELTA_BOTH);
}

bool ib_delta_file_to_rva(const struct ib_delta_pe *pe, struct ib_delta_rift *ret, struct ib_error **err)
{
	if (!ib_delta_rift_add(ret, 0, 0, err))
		return false;
	for (unsigned i = 0; i < pe->section_count; i++) {
		const struct ib_delta_section *s = &pe->sections[i];
		if (s->raw != 0 && s->va != 0 && !ib_delta_rift_add(ret, s->raw, s->va, err))
			return false;
	}
	return ib_delta_rift_sort(ret, err);
}

/* ---- MARK ---- */

/* The part of the file that a section's raw data really has. */
static size_t raw_part(const struct ib_delta_job *j, const struct ib_delta_section *s)
{
	return s->raw < j->size ? MIN(s->raw_size, j->size - s->raw) : 0;
}

static bool mark(struct ib_delta_job *j, struct ib_error **err)
{
	ib_auto_rift forth = { .max = IB_DELTA_SECTIONS_MAX + 1 };
	ib_auto_rift back = { .max = 4 * IB_DELTA_SECTIONS_MAX };

	if (j->pe.machine == IB_DELTA_MACHINE_I386) {
		memset(j->marks, IB_DELTA_DATA, j->size);
		for (unsigned i = 0; i < j->pe.section_count; i++)
			if (j->pe.sections[i].traits & EXECUTABLE && raw_part(j, &j->pe.sections[i]) > 0)
				memset(j->marks + j->pe.sections[i].raw, 0, raw_part(j, &j->pe.sections[i]));
	}
	ib_delta_mark(j, 0, j->pe.headers_size, IB_DELTA_BOTH);
	if (!ib_delta_file_to_rva(&j->pe, &forth, err) || !ib_delta_rift_reverse(&forth, &back, err))
		return false;
	for (unsigned i = 0; i < IB_DELTA_DIRS; i++) {
		int64_t at = ib_delta_rift_map(&back, j->pe.dirs[i].rva);
		if (j->pe.dirs[i].rva != 0 && j->pe.dirs[i].size != 0 && at >= 0)
			ib_delta_mark(j, (size_t)at, j->pe.dirs[i].size, IB_DELTA_BOTH);
	}
	return true;
}

/* ---- order ---- */

static const struct {
	uint64_t flag;
	uint16_t machine; /* 0: any */
	bool (*run)(struct ib_delta_job *j, struct ib_error **err);
} steps[] = {
	{ IB_DELTA_MARK, 0, mark },
	{ IB_DELTA_MARK, 0, ib_delta_cli_mark },
	{ IB_DELTA_IMPORTS, 0, ib_delta_imports },
	{ IB_DELTA_EXPORTS, 0, ib_delta_exports },
	{ IB_DELTA_RESOURCES, 0, ib_delta_resources },
	{ IB_DELTA_RELOCS, 0, ib_delta_relocs },
	{ IB_DELTA_I386_JMPS, IB_DELTA_MACHINE_I386, ib_delta_i386_jmps },
	{ IB_DELTA_I386_CALLS, IB_DELTA_MACHINE_I386, ib_delta_i386_calls },
	{ IB_DELTA_AMD64_DISASM, IB_DELTA_MACHINE_AMD64, ib_delta_amd64_disasm },
	{ IB_DELTA_AMD64_PDATA, IB_DELTA_MACHINE_AMD64, ib_delta_amd64_pdata },
};

static bool run_steps(struct ib_delta_job *j, struct ib_error **err)
{
	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++)
		if (j->flags & steps[i].flag && (steps[i].machine == 0 || steps[i].machine == j->pe.machine) &&
		    !steps[i].run(j, err))
			return false;
	if (j->pe.plus)
		ib_put_le64(j->bytes + j->pe.optional + 24, j->to->image_base);
	else
		ib_put_le32(j->bytes + j->pe.optional + 28, (uint32_t)j->to->image_base);
	return ib_delta_cli_transform(j, err);
}

static bool refuse_machine(uint16_t machine, struct ib_error **err)
{
	const char *name = NULL;

	switch (machine) {
	case IB_DELTA_MACHINE_ARM64:
		name = "ARM64";
		break;
	case IB_DELTA_MACHINE_ARM:
	case IB_DELTA_MACHINE_THUMB:
	case IB_DELTA_MACHINE_ARMNT:
		name = "ARM";
		break;
	case IB_DELTA_MACHINE_IA64:
		name = "IA64";
		break;
	}
	if (!name)
		return true;
	ib_throw(err, IB_ERR_INPUT,
		 "the source is an %s program, and how deltas transform those has never been published", name);
	return ib_hint(err, "use a delta that needs no source, or the complete file");
}

/* First the file's offsets to RVAs, then to the target's RVAs, then to its offsets; and all of that backwards. */
static bool find_moves(const struct ib_delta_rift *forth, const struct ib_delta_program *to,
		       struct ib_delta_rift *moves, struct ib_error **err)
{
	ib_auto_rift middle = { .max = moves->max }, whole = { .max = moves->max };

	if (!ib_delta_rift_compose(forth, &to->to_target, &middle, err) ||
	    !ib_delta_rift_compose(&middle, &to->to_file, &whole, err))
		return false;
	ib_delta_rift_clear(&middle);
	return ib_delta_rift_reverse(&whole, moves, err);
}

static bool transform(struct ib_delta_job *j, struct ib_delta_rift *moves, struct ib_error **err)
{
	ib_auto_rift forth = { .max = IB_DELTA_SECTIONS_MAX + 1 };

	if (!ib_delta_pe_read(j->bytes, j->size, &j->pe, err) || !refuse_machine(j->pe.machine, err))
		return false;
	if (!ib_delta_file_to_rva(&j->pe, &forth, err) || !find_moves(&forth, j->to, moves, err))
		return false;
	if (!ib_delta_alloc(j->size, &j->marks, err))
		return false;
	memset(j->marks, 0, j->size);
	ib_put_le32(j->bytes + j->pe.optional + CHECKSUM, 0);
	if (j->flags & IB_DELTA_UNBIND && !ib_delta_unbind(j, err))
		return false;
	ib_put_le32(j->bytes + j->pe.coff + 4, j->to->timestamp);
	/* the layout of metadata is read before the steps move its pointers */
	return ib_delta_cli_open(j, err) && run_steps(j, err) && ib_delta_cli_moves(j, moves, err);
}

bool ib_delta_transform(uint8_t *bytes, size_t size, const struct ib_delta_program *to, uint64_t flags,
			struct ib_delta_rift *moves, struct ib_error **err)
{
	if (size == 0) { /* without a source there is nothing to transform, only the target's own shifts */
		ib_auto_rift forth = { .max = 1 };
		return ib_delta_rift_add(&forth, 0, 0, err) && find_moves(&forth, to, moves, err);
	}
	struct ib_delta_job *j = g_new0(struct ib_delta_job, 1);
	*j = (struct ib_delta_job) { .bytes = bytes,
				     .size = size,
				     .flags = flags,
				     .to = to,
				     .work = 64 * (uint64_t)size + (1 << 20) };
	bool ok = transform(j, moves, err);
	ib_delta_cli_close(j);
	g_free(j->marks);
	g_free(j);
	return ok;
}

void ib_delta_e8(uint8_t *bytes, size_t size, unsigned tail)
{
	if (size < 5 || size > INT32_MAX)
		return;
	int64_t len = (int64_t)size;
	for (int64_t p = 0; p < len - tail;) {
		if (bytes[p] != 0xE8) {
			p++;
			continue;
		}
		int64_t v = (int32_t)ib_le32(bytes + p + 1);
		if (v >= -p && v < len)
			ib_put_le32(bytes + p + 1, (uint32_t)(v >= 0 ? v - p : v + len));
		p += 5;
	}
}
