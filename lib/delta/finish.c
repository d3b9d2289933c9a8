/* The last touches: what a creator normalised before it made the patch, put right in the target. */
#include "delta/body_internal.h"

typedef void (*touch)(const struct ib_delta_finish *f, const struct ib_delta_pe *pe, uint8_t *target);

static size_t size_of(const struct ib_delta_finish *f)
{
	return (size_t)f->info->target_size;
}

static void leave(const struct ib_delta_finish *f, const struct ib_delta_pe *pe, uint8_t *target)
{
}

/* ---- E8 ---- */

static void e8(const struct ib_delta_finish *f, const struct ib_delta_pe *pe, uint8_t *target)
{
	ib_delta_e8(target, size_of(f), 4);
}

/* The same by the other account: the end is left alone earlier. */
static void e8_early_end(const struct ib_delta_finish *f, const struct ib_delta_pe *pe, uint8_t *target)
{
	ib_delta_e8(target, size_of(f), 10);
}

/* ---- programs in containers ---- */

static void stamp(const struct ib_delta_pe *pe, uint8_t *target, uint64_t rva, uint32_t from, uint32_t to)
{
	size_t at = rva ? ib_delta_pe_offset(pe, rva, 8) : IB_DELTA_NOWHERE;

	if (at != IB_DELTA_NOWHERE && ib_le32(target + at + 4) == from)
		ib_put_le32(target + at + 4, to);
}

/* Times of linking that are the source's become the target's: of headers, exports, resources and debug entries. */
static void stamps(const struct ib_delta_finish *f, const struct ib_delta_pe *pe, uint8_t *target)
{
	g_autofree struct ib_delta_pe *source = g_new(struct ib_delta_pe, 1);
	ib_auto_error ignored = NULL;
	uint32_t debug = pe->dirs[IB_DELTA_DIR_DEBUG].rva;

	if (!ib_delta_pe_read(f->source.data, f->source.size, source, &ignored))
		return;
	uint32_t from = ib_le32(f->source.data + source->coff + 4);
	if (ib_le32(target + pe->coff + 4) == from)
		ib_put_le32(target + pe->coff + 4, f->to->timestamp);
	stamp(pe, target, pe->dirs[IB_DELTA_DIR_EXPORT].rva, from, f->to->timestamp);
	stamp(pe, target, pe->dirs[IB_DELTA_DIR_RESOURCE].rva, from, f->to->timestamp);
	for (uint32_t i = 0; debug && i + 28 <= MIN(pe->dirs[IB_DELTA_DIR_DEBUG].size, 28 * 64); i += 28)
		stamp(pe, target, (uint64_t)debug + i, from, f->to->timestamp);
}

/* The optional header's checksum, whose field is zero meanwhile: 16-bit words with carries added in, and the size. */
static uint32_t checksum(const uint8_t *p, size_t size)
{
	uint64_t sum = 0;

	for (size_t i = 0; i + 1 < size; i += 2)
		sum += ib_le16(p + i);
	if (size & 1)
		sum += p[size - 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)(sum + size);
}

static void restore_sections(const struct ib_delta_finish *f, const struct ib_delta_pe *pe, uint8_t *target)
{
	const struct ib_delta_rift *r = &f->to->to_file;

	for (unsigned i = 0; i < pe->section_count && r->n > 0; i++) {
		const struct ib_delta_section *s = &pe->sections[i];
		size_t k = ib_delta_rift_find(r, s->va);
		if (r->e[k].from != s->va)
			continue;
		uint64_t end = k + 1 < r->n ? (uint64_t)r->e[k + 1].to : f->info->target_size;
		ib_put_le32(target + s->header + 20, (uint32_t)r->e[k].to);
		ib_put_le32(target + s->header + 16, (uint32_t)(end - (uint64_t)r->e[k].to));
	}
}

static bool had_checksum(const struct ib_delta_finish *f)
{
	g_autofree struct ib_delta_pe *source = g_new(struct ib_delta_pe, 1);
	ib_auto_error ignored = NULL;

	return ib_delta_pe_read(f->source.data, f->source.size, source, &ignored) &&
	       ib_le32(f->source.data + source->optional + 64) != 0;
}

static void restore_headers(const struct ib_delta_finish *f, const struct ib_delta_pe *pe, uint8_t *target)
{
	ib_put_le32(target + pe->coff + 4, f->to->timestamp);
	if (pe->plus)
		ib_put_le64(target + pe->optional + 24, f->to->image_base);
	else
		ib_put_le32(target + pe->optional + 28, (uint32_t)f->to->image_base);
	restore_sections(f, pe, target);
	if (ib_le32(target + pe->optional + 64) == 0 && had_checksum(f))
		ib_put_le32(target + pe->optional + 64, checksum(target, size_of(f)));
}

/* ---- choosing ---- */

/* What may have to be done, the best attested first; NULL-ended. */
static const touch *touches(const struct ib_delta_finish *f, const struct ib_delta_pe *pe)
{
	static const touch none[] = { leave, NULL };
	static const touch calls[] = { e8, e8_early_end, leave, NULL };
	static const touch whole[] = { stamps, leave, NULL };
	static const touch difference[] = { restore_headers, leave, NULL };

	if (f->info->body == IB_DELTA_BODY_LZX)
		return f->info->flags & IB_DELTA_E8 && pe->machine == IB_DELTA_MACHINE_I386 && !pe->plus ? calls : none;
	if (f->info->body == IB_DELTA_BODY_CONTAINER && f->to)
		return f->difference ? difference : whole;
	return none;
}

static bool is_target(const struct ib_delta_info *info, const uint8_t *bytes)
{
	uint8_t have[IB_DIGEST_MAX];

	ib_digest_bytes(info->hash, bytes, (size_t)info->target_size, have);
	return memcmp(have, info->target_hash, ib_digest_size(info->hash)) == 0;
}

static bool try_each(const struct ib_delta_finish *f, const struct ib_delta_pe *pe, const touch *list, uint8_t *target,
		     struct ib_error **err)
{
	g_autofree uint8_t *before = NULL;

	if (!ib_delta_alloc(f->info->target_size, &before, err))
		return false;
	memcpy(before, target, size_of(f));
	for (size_t i = 0; list[i]; i++) {
		memcpy(target, before, size_of(f));
		list[i](f, pe, target);
		if (is_target(f->info, target))
			return true;
	}
	return true; /* none is right: checking the target's hash will say so */
}

bool ib_delta_finish(const struct ib_delta_finish *f, uint8_t *target, struct ib_error **err)
{
	g_autofree struct ib_delta_pe *pe = g_new(struct ib_delta_pe, 1);
	ib_auto_error no_program = NULL;

	if (!ib_delta_pe_read(target, size_of(f), pe, &no_program))
		return true;
	const touch *list = touches(f, pe);
	if (list[1] && f->info->has_target_hash)
		return try_each(f, pe, list, target, err);
	list[0](f, pe, target);
	return true;
}
