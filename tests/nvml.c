/* A stand-in for NVIDIA's management library, for machines without a GPU: two cards of known values.

   NVML_FAILS=init: it cannot be opened; NVML_HANGS=init or NVML_HANGS=use: a call never comes back, as where a driver
   hangs. The second card knows neither its use nor its power, as a part of a card does not. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 3, DRIVER_NOT_LOADED = 9 };
typedef struct { unsigned int gpu, memory; } rates;
typedef struct { unsigned long long total, free, used; } memory;

static long cards[2] = {0, 1};

static int is(const char *name, const char *value) {
    const char *set = getenv(name);
    return set != NULL && strcmp(set, value) == 0;
}

static void hang(const char *where) {
    while (is("NVML_HANGS", where)) sleep(1);
}

static long number(void *card) { return *(long *)card; }

int nvmlInitWithFlags(unsigned int flags) {
    hang("init");
    return is("NVML_FAILS", "init") ? DRIVER_NOT_LOADED : SUCCESS;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { return code == DRIVER_NOT_LOADED ? "Driver Not Loaded" : "Not Supported"; }
int nvmlSystemGetDriverVersion(char *text, unsigned int size) { strncpy(text, "550.54.15", size); return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = 2; return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **card) { *card = &cards[index]; return SUCCESS; }
int nvmlDeviceGetName(void *card, char *text, unsigned int size) {
    strncpy(text, "NVIDIA H100 80GB HBM3", size);
    return SUCCESS;
}
int nvmlDeviceGetUUID(void *card, char *text, unsigned int size) {
    strncpy(text, number(card) ? "GPU-2f0c" : "GPU-1f0c", size);
    return SUCCESS;
}
int nvmlDeviceGetMemoryInfo(void *card, memory *found) {
    found->total = 80ull << 30;
    found->used = (20ull + 20 * number(card)) << 30;
    found->free = found->total - found->used;
    return SUCCESS;
}
int nvmlDeviceGetUtilizationRates(void *card, rates *found) {
    hang("use");
    found->gpu = 75;
    found->memory = 10;
    return number(card) ? NOT_SUPPORTED : SUCCESS;
}
int nvmlDeviceGetTemperature(void *card, int sensor, unsigned int *celsius) { *celsius = 61; return SUCCESS; }
int nvmlDeviceGetPowerUsage(void *card, unsigned int *milliwatts) {
    *milliwatts = 350250;
    return number(card) ? NOT_SUPPORTED : SUCCESS;
}
