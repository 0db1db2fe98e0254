// Linked with a runtime for a library that should have been linked with it itself.
int cudaDeviceSynchronize(void);
int parent(void) {
  return cudaDeviceSynchronize();
}
