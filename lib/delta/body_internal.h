/* delta, private: bodies other than PseudoLzx, and the last touches to a target. */
#ifndef IB_DELTA_BODY_INTERNAL_H
#define IB_DELTA_BODY_INTERNAL_H

#include "delta/pe_internal.h"

/* Plain bytes a container says it holds. */
bool ib_delta_container_size(struct ib_delta_span body, uint64_t *ret, struct ib_error **err) IB_MUST_CHECK;
/* Decode a container of at most limit plain bytes. ret: owned by the caller (g_free). */
bool ib_delta_container_decode(struct ib_delta_span body, uint64_t limit, uint8_t **ret, uint64_t *ret_size,
			       struct ib_error **err) IB_MUST_CHECK;

/* A byte difference against source, to exactly size bytes of target. */
bool ib_delta_bsdiff(struct ib_delta_span source, struct ib_delta_span stream, uint8_t *target, uint64_t size,
		     struct ib_error **err) IB_MUST_CHECK;

/* A reverse record against the newer file. target is zeroed on entry. */
bool ib_delta_reverse(struct ib_delta_span source, struct ib_delta_span body, uint8_t *target, uint64_t size,
		      struct ib_error **err) IB_MUST_CHECK;

/* A target that is complete but for what its creator leaves to the applier. */
struct ib_delta_finish {
	const struct ib_delta_info *info;
	const struct ib_delta_program *to;  /* NULL without preprocessing */
	struct ib_delta_span source;        /* as it was, not transformed */
	bool difference;                    /* of a container: a byte difference, else the target itself */
};

/*
 * Sources conflict about the last touches, and no genuine record is at hand that needs one. So the record's own hash
 * decides between them; without a hash the best attested one is taken.
 */
bool ib_delta_finish(const struct ib_delta_finish *f, uint8_t *target, struct ib_error **err) IB_MUST_CHECK;

#endif
