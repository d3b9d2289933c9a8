/* driver, private: limits, and what its files offer each other. */
#ifndef IB_DRIVER_INTERNAL_H
#define IB_DRIVER_INTERNAL_H

#include "driver/driver.h"

/* Around a directory number in a field, in place of its '%'. INF text may not hold these characters itself. */
#define DIRECTORY_BEGIN '\x01'
#define DIRECTORY_END '\x02'

/* The text of an INF as UTF-8; owned by the caller (g_free). Throws IB_ERR_INPUT: control characters, half UTF-16. */
bool inf_text(GBytes *bytes, const char *name, uint16_t language, char **ret, struct ib_error **err);

/* A number as INF files write them: decimal, 0x…, with sign. @return false when it is none */
bool inf_number(const char *text, int64_t *ret);
/* A line's field, "" when it has not so many; borrowed. */
const char *inf_field(const struct ib_inf_line *l, unsigned i);
/* Throw with the place of a line. */
bool inf_throw(const struct ib_inf *inf, unsigned line, struct ib_error **err, const char *fmt, ...) IB_PRINTF(4, 5);

/* A relative path out of an INF: '\' between names, no "..", no drive, legal names. g_free; NULL when it is none. */
char *inf_relative(const char *text);

/* inf_registry.c: lines of an AddReg (or DelReg) section, appended to values; what is not understood, to a->left. */
bool inf_read_registry(const struct ib_inf *inf, const struct ib_inf_section *section, bool remove, GPtrArray *values,
		       struct ib_driver_actions *a, struct ib_error **err);
void inf_value_free(void *value);

/* inf_service.c: an AddService line, appended to the actions. */
bool inf_read_service(const struct ib_inf *inf, const struct ib_inf_line *line, struct ib_driver_actions *a,
		      struct ib_error **err);
void inf_service_free(void *service);

/* One line in `left`, once. */
void inf_left(GPtrArray *left, const struct ib_inf *inf, unsigned line, const char *fmt, ...) IB_PRINTF(4, 5);
/* Count lines that are read: sections may be named many times over. IB_ERR_INPUT when it is too much. */
bool inf_work(const struct ib_inf *inf, const struct ib_inf_section *s, struct ib_driver_actions *a, struct ib_error **err);
/* A section that another names; IB_ERR_INPUT when it is not there. */
bool inf_named_section(const struct ib_inf *inf, const char *name, unsigned line, const struct ib_inf_section **ret,
		       struct ib_error **err);

#endif
