// Access between devices, as far as one device shows it.
#include "../fixture.h"

namespace conformance {
namespace {

class Peers : public DeviceTest {};

// [H 23819] a device is no peer of itself [M].
TEST_F(Peers, ADeviceIsNotItsOwn) {
  int can = 99;
  EXPECT_EQ(d.cuDeviceCanAccessPeer(&can, 0, 0), CUDA_SUCCESS);
  EXPECT_EQ(can, 0);
}

// [H 23834] CUDA_ERROR_INVALID_DEVICE.
TEST_F(Peers, AreDevices) {
  int can = 0;
  EXPECT_EQ(d.cuDeviceCanAccessPeer(&can, 0, 77), CUDA_ERROR_INVALID_DEVICE);
  EXPECT_EQ(d.cuDeviceCanAccessPeer(&can, 77, 0), CUDA_ERROR_INVALID_DEVICE);
}

// [M] CUDA_ERROR_PEER_ACCESS_UNSUPPORTED, where [H 23872] has CUDA_ERROR_INVALID_CONTEXT.
TEST_F(Peers, AContextIsNotItsOwn) {
  EXPECT_EQ(d.cuCtxEnablePeerAccess(context, 0), CUDA_ERROR_PEER_ACCESS_UNSUPPORTED);
}

// [H 23871] CUDA_ERROR_INVALID_CONTEXT "if there is no current context".
TEST_F(Peers, NeedACurrentContext) {
  ASSERT_EQ(d.cuCtxSetCurrent(nullptr), CUDA_SUCCESS);
  EXPECT_EQ(d.cuCtxEnablePeerAccess(context, 0), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(d.cuCtxDisablePeerAccess(context), CUDA_ERROR_INVALID_CONTEXT);
}

// [H 23874] "Returns CUDA_ERROR_INVALID_VALUE if Flags is not 0."
TEST_F(Peers, AreEnabledWithoutFlags) {
  EXPECT_EQ(d.cuCtxEnablePeerAccess(make_context(), 1), CUDA_ERROR_INVALID_VALUE);
}

// [H 23901] CUDA_ERROR_PEER_ACCESS_NOT_ENABLED.
TEST_F(Peers, AreDisabledOnlyIfTheyWereEnabled) {
  EXPECT_EQ(d.cuCtxDisablePeerAccess(make_context()), CUDA_ERROR_PEER_ACCESS_NOT_ENABLED);
}

}  // namespace
}  // namespace conformance
