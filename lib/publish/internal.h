/* publish, private: the two places a delivery can go to, and the wire of one of them. */
#ifndef IB_PUBLISH_INTERNAL_H
#define IB_PUBLISH_INTERNAL_H

#include "publish/publish.h"

/** A place. Names are relative to the delivery's folder and were checked. */
struct place_ops {
	bool (*space)(void *place, uint64_t *ret_bytes);
	bool (*put)(void *place, const char *name, struct ib_input *in, struct ib_progress *progress, struct ib_error **err);
	bool (*stat)(void *place, const char *name, uint64_t *ret_size, struct ib_error **err);
	bool (*get)(void *place, const char *name, struct ib_stream **ret, struct ib_error **err);
	bool (*remove)(void *place, const char *name, struct ib_error **err);
	void (*free)(void *place);
};

extern const struct place_ops local_ops, sftp_ops;

/** A folder on this machine. */
bool local_open(const char *folder, void **ret, struct ib_error **err);

/** What an sftp:// address says. */
struct sftp_address {
	char *user, *host, *folder;
	unsigned port;
};
bool sftp_open(const struct sftp_address *address, const struct ib_publish_options *o, void **ret, struct ib_error **err);

/* ---- ssh.c: a connection whose server is the pinned one, and SFTP packets on it ---- */

struct wire;

bool wire_open(const struct sftp_address *address, const struct ib_publish_options *o, struct wire **ret,
	       struct ib_error **err);
void wire_free(struct wire *w);

/** SFTP version 3 packet types used here. */
enum {
	FXP_INIT = 1, FXP_VERSION = 2, FXP_OPEN = 3, FXP_CLOSE = 4, FXP_READ = 5, FXP_WRITE = 6, FXP_REMOVE = 13,
	FXP_MKDIR = 14, FXP_STAT = 17, FXP_RENAME = 18, FXP_STATUS = 101, FXP_HANDLE = 102, FXP_DATA = 103,
	FXP_ATTRS = 105, FXP_EXTENDED = 200, FXP_EXTENDED_REPLY = 201,
};

/** A packet being made. */
struct packet {
	GByteArray *bytes;
};
struct packet packet_new(uint8_t type);
void packet_u32(struct packet *p, uint32_t v);
void packet_u64(struct packet *p, uint64_t v);
void packet_string(struct packet *p, const void *data, size_t len);
void packet_text(struct packet *p, const char *text);
/** Send it; taken, also on failure. */
bool wire_send(struct wire *w, struct packet *p, struct ib_error **err);

/** A packet that arrived: type and what is behind it. */
struct answer {
	uint8_t type;
	GBytes *body;         /**< owned; g_bytes_unref */
	struct ib_reader at;  /**< over body, big-endian content */
};
void answer_clear(struct answer *a);
uint32_t answer_u32(struct answer *a);
uint64_t answer_u64(struct answer *a);
/** A string of the packet; borrowed. NULL when it does not fit. */
const uint8_t *answer_string(struct answer *a, size_t *ret_len);

/**
 * The next packet; waits until no byte came for the time-out. After a failure of this or of wire_send
 * both fail at once: nobody waits twice for a server that is gone.
 */
bool wire_receive(struct wire *w, struct answer *ret, struct ib_error **err);
/** Whether a whole packet is there without waiting. */
bool wire_ready(struct wire *w);

/** What a server said, fit for a message: short, valid UTF-8, no control characters. Owned by the caller (g_free). */
char *clean_text(const char *text, size_t len);

#endif
