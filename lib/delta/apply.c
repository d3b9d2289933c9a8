#include "delta/pe_internal.h"

bool ib_delta_alloc(uint64_t size, uint8_t **ret, struct ib_error **err)
{
	*ret = g_try_malloc((gsize)MAX(size, 1));
	return *ret || ib_throw_memory(err);
}

static bool check_hash(const struct ib_delta_info *info, const char *whose, const uint8_t *want, struct ib_delta_span bytes,
		       struct ib_error **err)
{
	uint8_t have[IB_DIGEST_MAX];
	size_t n = ib_digest_size(info->hash);

	ib_digest_bytes(info->hash, bytes.data, bytes.size, have);
	if (memcmp(want, have, n) == 0)
		return true;
	g_autofree char *want_text = ib_hex(want, n);
	g_autofree char *have_text = ib_hex(have, n);
	return ib_throw(err, IB_ERR_VERIFY, "the delta's %s must have %s %s, it has %s", whose, ib_digest_name(info->hash),
			want_text, have_text);
}

/* What the patch was made against: the source itself, or a copy of it with its program transformed. */
static bool prepare(struct ib_delta_span source, const struct ib_delta_record *record, uint8_t **ret_copy,
		    struct ib_delta_rift *moves, struct ib_error **err)
{
	size_t limit = ib_delta_rift_limit(source.size, record->info.target_size);
	g_autofree uint8_t *copy = NULL;
	struct ib_delta_program *to = g_new0(struct ib_delta_program, 1);

	moves->max = 4 * limit; /* each entry of the three rifts may cut a piece in two */
	bool ok = ib_delta_program_read(record->preprocess, limit, to, err) && ib_delta_alloc(source.size, &copy, err);
	if (ok) {
		memcpy(copy, source.data, source.size);
		ok = ib_delta_transform(copy, source.size, to, record->info.flags, moves, err);
	}
	ib_delta_program_clear(to);
	g_free(to);
	*ret_copy = g_steal_pointer(&copy);
	return ok;
}

bool ib_delta_decode(struct ib_delta_span source, const struct ib_delta_record *record, bool used_up, GBytes **ret,
		     struct ib_error **err)
{
	ib_auto_rift moves = { 0 };
	g_autofree uint8_t *copy = NULL;
	g_autofree uint8_t *target = NULL;

	if (record->preprocess.size > 0) {
		if (!prepare(source, record, &copy, &moves, err))
			return false;
		source.data = copy;
	}
	if (!ib_delta_alloc(record->info.target_size, &target, err))
		return false;
	struct ib_delta_lzx job = { .source = source, .patch = record->patch, .moves = &moves, .target = target,
				    .target_size = record->info.target_size, .used_up = used_up };
	if (record->patch.size > 0 && !ib_delta_lzx_decode(&job, err))
		return false;
	*ret = g_bytes_new_take(g_steal_pointer(&target), (gsize)record->info.target_size);
	return true;
}

static struct ib_delta_span span_of(GBytes *bytes)
{
	gsize size = 0;
	const uint8_t *data = bytes ? g_bytes_get_data(bytes, &size) : NULL;

	return (struct ib_delta_span){ .data = data ? data : (const uint8_t *)"", .size = size };
}

bool ib_delta_apply(GBytes *source, GBytes *record, const struct ib_delta_options *options, GBytes **ret,
		    struct ib_error **err)
{
	struct ib_delta_span from = span_of(source), bytes = span_of(record);
	uint64_t max = options && options->target_max ? options->target_max : IB_DELTA_TARGET_MAX;
	g_autoptr(GBytes) target = NULL;
	struct ib_delta_record r;

	if (!ib_delta_record_read(bytes.data, bytes.size, &r, err))
		return false;
	if (r.info.target_size > max)
		return ib_throw(err, IB_ERR_INPUT, "the delta makes %" PRIu64 " bytes, at most %" PRIu64 " are accepted here",
				r.info.target_size, max);
	if (r.info.has_source_hash && !check_hash(&r.info, "source", r.info.source_hash, from, err))
		return false;
	if (!ib_delta_decode(from, &r, false, &target, err))
		return false;
	if (r.info.has_target_hash && !check_hash(&r.info, "target", r.info.target_hash, span_of(target), err)) {
		g_autofree char *names = ib_delta_transforms(r.info.flags);
		return ib_while(err, "applying a %s delta with transforms %s", ib_delta_type_name(r.info.type), names);
	}
	*ret = g_steal_pointer(&target);
	return true;
}
