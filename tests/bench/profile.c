// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A TCG plugin that counts the guest's instructions by address, in windows
 * that the guest itself opens and closes (tests/lab/guest/window.c):
 *
 *   or 25,25,25   all counters are set to zero
 *   or 26,26,26   they are written to DIR/window-N, N = 0, 1, ...
 *
 * Neither changes anything in the processor, and no compiler emits them. A
 * file has one line per kernel instruction that ran, "address count" with a
 * hexadecimal address, one line "user count", and with vcpus=on one line
 * "vcpu N count" per vCPU.
 *
 * Counters are exact: each instruction has its own and increments it inline.
 * The vCPUs' own counts are by translated block, so an instruction that leaves
 * its block early is counted with the rest of the block.
 *
 * Needs the single-threaded TCG (-icount), as counters are not atomic.
 */
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <qemu-plugin.h>

#define KERNEL		0xc000000000000000ull
#define MARK_BEGIN	0x7f39cb78u
#define MARK_END	0x7f5ad378u
#define MAX_VCPUS	64

struct counter {
	uint64_t addr, count;
};

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static GHashTable *counters;
static GMutex lock;
static struct counter user;
static uint64_t vcpu_count[MAX_VCPUS];
static char *dir;
static unsigned int windows;
static gboolean by_vcpu;

static void begin(unsigned int vcpu, void *unused)
{
	GHashTableIter iter;
	gpointer value;

	g_mutex_lock(&lock);
	g_hash_table_iter_init(&iter, counters);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		((struct counter *)value)->count = 0;
	user.count = 0;
	memset(vcpu_count, 0, sizeof(vcpu_count));
	g_mutex_unlock(&lock);
}

static void write_counters(FILE *out)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, counters);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct counter *c = value;

		if (c->count)
			fprintf(out, "%" PRIx64 " %" PRIu64 "\n", c->addr,
				c->count);
	}
	fprintf(out, "user %" PRIu64 "\n", user.count);
	for (int i = 0; by_vcpu && i < MAX_VCPUS; i++)
		if (vcpu_count[i])
			fprintf(out, "vcpu %d %" PRIu64 "\n", i,
				vcpu_count[i]);
}

static void end(unsigned int vcpu, void *unused)
{
	g_autofree char *path = NULL;
	FILE *out;

	g_mutex_lock(&lock);
	path = g_strdup_printf("%s/window-%u", dir, windows++);
	out = fopen(path, "w");
	if (out) {
		write_counters(out);
		fclose(out);
	} else {
		perror(path);
	}
	g_mutex_unlock(&lock);
}

static struct counter *counter(uint64_t addr)
{
	struct counter *c;

	if (addr < KERNEL)
		return &user;
	c = g_hash_table_lookup(counters, &addr);
	if (!c) {
		c = g_new0(struct counter, 1);
		c->addr = addr;
		g_hash_table_insert(counters, &c->addr, c);
	}
	return c;
}

static void count_block(unsigned int vcpu, void *insns)
{
	vcpu_count[vcpu % MAX_VCPUS] += GPOINTER_TO_SIZE(insns);
}

static uint32_t word(const struct qemu_plugin_insn *insn)
{
	uint32_t w = 0;

	if (qemu_plugin_insn_size(insn) == 4)
		memcpy(&w, qemu_plugin_insn_data(insn), 4);
	return GUINT32_FROM_BE(w);
}

static void mark_insn(struct qemu_plugin_insn *insn, uint32_t w)
{
	qemu_plugin_vcpu_udata_cb_t cb = w == MARK_BEGIN ? begin : end;

	qemu_plugin_register_vcpu_insn_exec_cb(insn, cb, QEMU_PLUGIN_CB_NO_REGS,
					       NULL);
}

static void count_insn(struct qemu_plugin_insn *insn, struct counter *c)
{
	qemu_plugin_register_vcpu_insn_exec_inline(insn,
						   QEMU_PLUGIN_INLINE_ADD_U64,
						   &c->count, 1);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	if (by_vcpu)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, count_block,
						     QEMU_PLUGIN_CB_NO_REGS,
						     GSIZE_TO_POINTER(n));
	g_mutex_lock(&lock);
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		struct counter *c = counter(qemu_plugin_insn_vaddr(insn));
		uint32_t w = word(insn);

		if (w == MARK_BEGIN || w == MARK_END)
			mark_insn(insn, w);
		count_insn(insn, c);
	}
	g_mutex_unlock(&lock);
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
					   const qemu_info_t *info,
					   int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (g_str_has_prefix(argv[i], "dir="))
			dir = g_strdup(argv[i] + 4);
		else if (!strcmp(argv[i], "vcpus=on"))
			by_vcpu = TRUE;
		else if (strcmp(argv[i], "vcpus=off"))
			return -1;
	}
	if (!dir)
		return -1;
	counters = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
					 g_free);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
