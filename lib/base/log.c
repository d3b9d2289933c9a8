#include "base/base.h"

static struct {
	ib_log_sink sink;
	enum ib_log_level level;
	void *data;
} state;

void ib_log_set(ib_log_sink sink, enum ib_log_level level, void *data)
{
	state.sink = sink;
	state.level = level;
	state.data = data;
}

void ib_log(enum ib_log_level level, const char *module, const char *fmt, ...)
{
	if (!state.sink || level > state.level)
		return;
	va_list ap;
	va_start(ap, fmt);
	char *text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	state.sink(level, module, text, state.data);
	g_free(text);
}
