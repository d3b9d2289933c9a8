#include "delta/body_internal.h"

bool ib_delta_alloc(uint64_t size, uint8_t **ret, struct ib_error **err)
{
	*ret = g_try_malloc((gsize)MAX(size, 1));
	return *ret || ib_throw_memory(err);
}

static bool check_hash(const struct ib_delta_info *info, const char *whose, const uint8_t *want,
		       struct ib_delta_span bytes, struct ib_error **err)
{
	uint8_t have[IB_DIGEST_MAX];
	size_t n = ib_digest_size(info->hash);

	ib_digest_bytes(info->hash, bytes.data, bytes.size, have);
	if (memcmp(want, have, n) == 0)
		return true;
	g_autofree char *want_text = ib_hex(want, n);
	g_autofree char *have_text = ib_hex(have, n);
	return ib_throw(err, IB_ERR_VERIFY, "the delta's %s must have %s %s, it has %s", whose,
			ib_digest_name(info->hash), want_text, have_text);
}

/* What the patch was made against: a copy of the source with its program transformed. */
static bool transform(struct ib_delta_span source, const struct ib_delta_record *record,
		      const struct ib_delta_program *to, uint8_t **ret_copy, struct ib_delta_rift *moves,
		      struct ib_error **err)
{
	g_autofree uint8_t *copy = NULL;

	if (!ib_delta_alloc(source.size, &copy, err))
		return false;
	memcpy(copy, source.data, source.size);
	/* each entry of the rifts that are joined may cut a piece in two */
	moves->max = 3 * ib_delta_rift_limit(source.size, record->info.target_size);
	if (!ib_delta_transform(copy, source.size, to, record->info.flags, moves, err))
		return false;
	*ret_copy = g_steal_pointer(&copy);
	return true;
}

/* The target, when the container's plain bytes are not the target itself but a difference to the source. */
static bool apply_difference(struct ib_delta_span source, const struct ib_delta_record *record, uint8_t *target,
			     struct ib_error **err)
{
	g_autofree uint8_t *plain = NULL;
	uint64_t size = record->info.target_size, limit = 2 * size + source.size + (1 << 20), got;

	if (!ib_delta_container_decode(record->patch, limit, &plain, &got, err))
		return false;
	struct ib_delta_span stream = { .data = plain, .size = (size_t)got };
	return ib_delta_bsdiff(source, stream, target, size, err);
}

/* Does the patch: to is NULL without preprocessing. */
static bool decode_body(struct ib_delta_span source, const struct ib_delta_record *record,
			const struct ib_delta_program *to, bool used_up, uint8_t **ret, struct ib_error **err)
{
	struct ib_delta_finish finish = { .info = &record->info, .to = to, .source = source };
	uint64_t size = record->info.target_size, plain = 0;
	ib_auto_rift moves = { 0 };
	g_autofree uint8_t *copy = NULL;
	g_autofree uint8_t *target = NULL;

	if (record->info.body == IB_DELTA_BODY_CONTAINER) {
		if (!ib_delta_container_size(record->patch, &plain, err))
			return false;
		if (plain == size)
			return ib_delta_container_decode(record->patch, size, &target, &plain, err) &&
			       ib_delta_finish(&finish, target, err) && (*ret = g_steal_pointer(&target));
		finish.difference = true;
	}
	if (to && !transform(source, record, to, &copy, &moves, err))
		return false;
	struct ib_delta_span from = { .data = copy ? copy : source.data, .size = source.size };
	if (!ib_delta_alloc(size, &target, err))
		return false;
	struct ib_delta_lzx job = { .source = from, .patch = record->patch, .moves = &moves, .target = target,
				    .target_size = size, .used_up = used_up };
	if (finish.difference ? !apply_difference(from, record, target, err) : !ib_delta_lzx_decode(&job, err))
		return false;
	g_clear_pointer(&copy, g_free);
	if (!ib_delta_finish(&finish, target, err))
		return false;
	*ret = g_steal_pointer(&target);
	return true;
}

static bool decode_reverse(struct ib_delta_span source, const struct ib_delta_record *record, uint8_t **ret,
			   struct ib_error **err)
{
	g_autofree uint8_t *target = NULL;

	if (!ib_delta_alloc(record->info.target_size, &target, err))
		return false;
	memset(target, 0, (size_t)record->info.target_size);
	if (!ib_delta_reverse(source, record->patch, target, record->info.target_size, err))
		return false;
	*ret = g_steal_pointer(&target);
	return true;
}

static bool decode_program(struct ib_delta_span source, const struct ib_delta_record *record, bool used_up,
			   uint8_t **ret, struct ib_error **err)
{
	size_t limit = ib_delta_rift_limit(source.size, record->info.target_size);
	struct ib_delta_program *to = g_new0(struct ib_delta_program, 1);

	bool ok = ib_delta_program_read(record->preprocess, limit, to, err) &&
		  decode_body(source, record, to, used_up, ret, err);
	ib_delta_program_clear(to);
	g_free(to);
	return ok;
}

bool ib_delta_decode(struct ib_delta_span source, const struct ib_delta_record *record, bool used_up, GBytes **ret,
		     struct ib_error **err)
{
	uint64_t size = record->info.target_size;
	uint8_t *target = NULL;
	bool ok;

	if (record->patch.size == 0) /* then the target is empty */
		ok = true;
	else if (record->info.body == IB_DELTA_BODY_REVERSE)
		ok = decode_reverse(source, record, &target, err);
	else if (record->info.has_preprocess)
		ok = decode_program(source, record, used_up, &target, err);
	else
		ok = decode_body(source, record, NULL, used_up, &target, err);
	if (ok)
		*ret = g_bytes_new_take(target, (gsize)size);
	return ok;
}

bool ib_delta_apply(GBytes *source, GBytes *record, const struct ib_delta_options *options, GBytes **ret,
		    struct ib_error **err)
{
	struct ib_delta_span from = ib_delta_span_of(source), bytes = ib_delta_span_of(record);
	uint64_t max = options && options->target_max ? options->target_max : IB_DELTA_TARGET_MAX;
	g_autoptr(GBytes) target = NULL;
	struct ib_delta_record r;

	if (!ib_delta_record_read(bytes.data, bytes.size, &r, err))
		return false;
	if (r.info.target_size > max)
		return ib_throw(err, IB_ERR_INPUT,
				"the delta makes %" PRIu64 " bytes, at most %" PRIu64 " are accepted here",
				r.info.target_size, max);
	if (r.info.has_source_hash && !check_hash(&r.info, "source", r.info.source_hash, from, err))
		return false;
	if (!ib_delta_decode(from, &r, false, &target, err))
		return false;
	if (r.info.has_target_hash && !check_hash(&r.info, "target", r.info.target_hash, ib_delta_span_of(target), err)) {
		g_autofree char *names = ib_delta_transforms(r.info.flags);
		return ib_while(err, "applying a %s delta with transforms %s", ib_delta_type_name(r.info.type), names);
	}
	*ret = g_steal_pointer(&target);
	return true;
}
