"""The driver's functions that were looked at and are not in the hook table, and why they need not be: by their base
names, without "cu". Of a name that is in the table too, other versions are meant. check_hooks.py holds it against the headers.
"""

HARMLESS = {
    "asks": """
        ArrayGetDescriptor ArrayGetMemoryRequirements ArrayGetPlane ArrayGetSparseProperties Array3DGetDescriptor
        CheckpointProcessGetRestoreThreadId CheckpointProcessGetState CoredumpGetAttribute
        CoredumpGetAttributeGlobal CtxGetApiVersion CtxGetCacheConfig CtxGetCurrent CtxGetDevResource CtxGetDevice
        CtxGetExecAffinity CtxGetFlags CtxGetId CtxGetLimit CtxGetSharedMemConfig CtxGetStreamPriorityRange
        DeviceCanAccessPeer DeviceComputeCapability DeviceGet DeviceGetAttribute DeviceGetByPCIBusId
        DeviceGetCliqueCount DeviceGetCliqueInfo DeviceGetCount DeviceGetDevResource
        DeviceGetExecAffinitySupport DeviceGetFabricClusterUuid DeviceGetGraphMemAttribute
        DeviceGetHostAtomicCapabilities DeviceGetLuid DeviceGetName DeviceGetNvSciSyncAttributes
        DeviceGetP2PAtomicCapabilities DeviceGetP2PAttribute DeviceGetPCIBusId DeviceGetProperties
        DeviceGetTexture1DLinearMaxWidth DeviceGetUuid DevicePrimaryCtxGetState DeviceTotalMem DriverGetVersion
        EventElapsedTime FuncGetAttribute FuncGetModule FuncGetName FuncGetParamCount FuncGetParamInfo FuncIsLoaded
        GLGetDevices GetErrorName GetErrorString GraphBatchMemOpNodeGetParams GraphChildGraphNodeGetGraph
        GraphDebugDotPrint GraphEventRecordNodeGetEvent GraphEventWaitNodeGetEvent GraphExecGetFlags GraphExecGetId
        GraphExternalSemaphoresSignalNodeGetParams GraphExternalSemaphoresWaitNodeGetParams GraphGetEdges GraphGetId
        GraphGetNodes GraphGetRootNodes GraphHostNodeGetParams GraphKernelNodeGetAttribute GraphKernelNodeGetParams
        GraphMemAllocNodeGetParams GraphMemFreeNodeGetParams GraphMemcpyNodeGetParams GraphMemsetNodeGetParams
        GraphNodeFindInClone GraphNodeGetContainingGraph GraphNodeGetDependencies GraphNodeGetDependentNodes
        GraphNodeGetEnabled GraphNodeGetLocalId GraphNodeGetParams GraphNodeGetToolsId GraphNodeGetType
        GraphicsResourceGetMappedEglFrame GraphicsResourceGetMappedMipmappedArray GraphicsResourceGetMappedPointer
        GraphicsSubResourceGetMappedArray GreenCtxGetDevResource GreenCtxGetId KernelGetAttribute KernelGetLibrary
        KernelGetName KernelGetParamCount KernelGetParamInfo LibraryEnumerateKernels LibraryGetGlobal
        LibraryGetKernelCount LibraryGetManaged LibraryGetUnifiedFunction LogicalEndpointGetLimits
        LogicalEndpointQuery MemGetAccess MemGetAddressRange MemGetAllocationGranularity MemGetAllocationPropertiesFromHandle
        MemGetHandleForAddressRange MemGetLocationInfo MemHostGetDevicePointer
        MemHostGetFlags MemPoolGetAccess MemRangeGetAttribute MemRangeGetAttributes MipmappedArrayGetLevel
        MipmappedArrayGetMemoryRequirements MipmappedArrayGetSparseProperties ModuleEnumerateFunctions
        ModuleGetFunctionCount ModuleGetGlobal ModuleGetLoadingMode ModuleGetSurfRef ModuleGetTexRef
        MulticastGetGranularity OccupancyAvailableDynamicSMemPerBlock OccupancyMaxActiveBlocksPerMultiprocessor
        OccupancyMaxActiveBlocksPerMultiprocessorWithFlags OccupancyMaxActiveClusters OccupancyMaxPotentialBlockSize
        OccupancyMaxPotentialBlockSizeWithFlags OccupancyMaxPotentialClusterSize StreamGetAttribute
        StreamGetCaptureInfo StreamGetCtx StreamGetDevResource StreamGetDevice StreamGetFlags StreamGetGreenCtx
        StreamGetId StreamGetPriority StreamIsCapturing SurfObjectGetResourceDesc SurfRefGetArray
        TexObjectGetResourceDesc TexObjectGetResourceViewDesc TexObjectGetTextureDesc TexRefGetAddress
        TexRefGetAddressMode TexRefGetArray TexRefGetBorderColor TexRefGetFilterMode TexRefGetFlags TexRefGetFormat
        TexRefGetMaxAnisotropy TexRefGetMipmapFilterMode TexRefGetMipmapLevelBias TexRefGetMipmapLevelClamp
        TexRefGetMipmappedArray VDPAUGetDevice WGLGetDevice""",
    "says how later work, or a later context, is to be": """
        CtxSetCacheConfig CtxSetFlags CtxSetLimit CtxSetSharedMemConfig DevicePrimaryCtxSetFlags FuncSetAttribute
        FuncSetBlockShape FuncSetCacheConfig FuncSetSharedMemConfig FuncSetSharedSize KernelSetAttribute
        KernelSetCacheConfig ParamSetSize ParamSetTexRef ParamSetf ParamSeti ParamSetv StreamCopyAttributes
        StreamSetAttribute GLSetBufferObjectMapFlags GraphicsResourceSetMapFlags""",
    "what it changes is about no order between streams": """
        CtxResetPersistingL2Cache DevResourceGenerateDesc DevSmResourceSplit DevSmResourceSplitByCount
        FlushGPUDirectRDMAWrites MemAdvise UserObjectCreate UserObjectRelease UserObjectRetain
        GraphReleaseUserObject GraphRetainUserObject""",
    "changes the graph that is being captured": "StreamUpdateCaptureDependencies",
    "its own thread's calls only are less or more allowed while others capture": "ThreadExchangeStreamCaptureMode",
    "describes a graph; what gives work is its launch": """
        GraphAddBatchMemOpNode GraphAddChildGraphNode GraphAddDependencies GraphAddEmptyNode GraphAddEventWaitNode
        GraphAddExternalSemaphoresSignalNode GraphAddExternalSemaphoresWaitNode GraphAddHostNode GraphAddKernelNode
        GraphAddMemAllocNode GraphAddMemFreeNode GraphAddMemcpyNode GraphAddMemsetNode GraphBatchMemOpNodeSetParams
        GraphConditionalHandleCreate GraphCreate GraphDestroy GraphDestroyNode GraphEventWaitNodeSetEvent
        GraphExecBatchMemOpNodeSetParams GraphExecDestroy GraphExecEventWaitNodeSetEvent
        GraphExecExternalSemaphoresSignalNodeSetParams GraphExecExternalSemaphoresWaitNodeSetParams
        GraphExecHostNodeSetParams GraphExecKernelNodeSetParams GraphExecMemcpyNodeSetParams
        GraphExecMemsetNodeSetParams GraphExternalSemaphoresSignalNodeSetParams
        GraphExternalSemaphoresWaitNodeSetParams GraphHostNodeSetParams GraphKernelNodeSetParams
        GraphMemcpyNodeSetParams GraphMemsetNodeSetParams GraphRemoveDependencies""",
    "an event that a node records there was seen when that node was made": """
        GraphClone GraphExecChildGraphNodeSetParams GraphExecUpdate GraphKernelNodeCopyAttributes
        GraphNodeSetEnabled""",
    "a graph's memory, and what it keeps of it, is the driver's": "DeviceGraphMemTrim DeviceSetGraphMemAttribute",
    "memory, and where it lies, is the program's own: none of the pool's": """
        ArrayDestroy ExternalMemoryGetMappedBuffer ExternalMemoryGetMappedMipmappedArray DestroyExternalMemory
        ImportExternalMemory MemAddressFree MemAddressReserve MemAllocHost MemAllocManaged
        MemExportToShareableHandle MemFreeHost MemHostAlloc MemHostRegister MemHostUnregister
        MemImportFromShareableHandle MipmappedArrayDestroy MulticastAddDevice MulticastBindAddr MulticastBindMem
        MulticastCreate MulticastUnbind LogicalEndpointAddDevice LogicalEndpointBindAddr LogicalEndpointBindMem
        LogicalEndpointCreate LogicalEndpointDestroy LogicalEndpointExport LogicalEndpointIdRelease
        LogicalEndpointIdReserve LogicalEndpointImport LogicalEndpointUnbind""",
    "its pools are the driver's": """
        MemPoolExportPointer MemPoolExportToShareableHandle MemPoolImportPointer""",
    "of CUDA before 3.2: memory that it gives, takes or counts has addresses of 32 bits, as none of the pool's": """
        Array3DCreate ArrayCreate MemAlloc MemAllocPitch MemFree MemGetInfo""",
    "an event by itself; it has not been recorded": "EventCreate",
    "an event that the program can not record": "EventCreateFromEGLSync",
    "an external semaphore by itself; what signals it or waits for it is seen": """
        DestroyExternalSemaphore ImportExternalSemaphore""",
    "code, and the memory that it takes of the driver": """
        LibraryLoadData LibraryLoadFromFile LibraryUnload LinkAddData LinkAddFile LinkComplete LinkCreate
        LinkDestroy ModuleUnload""",
    "a view of memory that is used by launches": """
        SurfObjectCreate SurfObjectDestroy SurfRefSetArray TensorMapEncodeIm2col TensorMapEncodeIm2colWide
        TensorMapEncodeTiled TensorMapReplaceAddress TensorMapSetAllocationClass TexObjectCreate TexObjectDestroy
        TexRefCreate TexRefDestroy TexRefSetAddress TexRefSetAddress2D TexRefSetAddressMode TexRefSetArray
        TexRefSetBorderColor TexRefSetFilterMode TexRefSetFlags TexRefSetFormat TexRefSetMaxAnisotropy
        TexRefSetMipmapFilterMode TexRefSetMipmapLevelBias TexRefSetMipmapLevelClamp TexRefSetMipmappedArray""",
    "graphics' memory is none of the pool's; work that uses it is given by mapping it": """
        GLInit GLRegisterBufferObject GLUnregisterBufferObject GraphicsEGLRegisterImage GraphicsGLRegisterBuffer
        GraphicsGLRegisterImage GraphicsUnregisterResource GraphicsVDPAURegisterOutputSurface
        GraphicsVDPAURegisterVideoSurface""",
    "is about frames, no memory of the pool's; what uses memory with them on that stream is seen by itself": """
        EGLStreamConsumerAcquireFrame EGLStreamConsumerConnect EGLStreamConsumerConnectWithFlags
        EGLStreamConsumerDisconnect EGLStreamConsumerReleaseFrame EGLStreamProducerConnect
        EGLStreamProducerDisconnect EGLStreamProducerPresentFrame EGLStreamProducerReturnFrame""",
    "tells the host of something": """
        CoredumpDeregisterCompleteCallback CoredumpDeregisterStartCallback CoredumpRegisterCompleteCallback
        CoredumpRegisterStartCallback CoredumpSetAttribute CoredumpSetAttributeGlobal
        DeviceRegisterAsyncNotification DeviceUnregisterAsyncNotification LogsCurrent LogsDumpToFile
        LogsDumpToMemory LogsRegisterCallback LogsUnregisterCallback""",
    "afterwards all is as before": """
        CheckpointOperationComplete CheckpointProcessCheckpoint CheckpointProcessLock CheckpointProcessRestore
        CheckpointProcessUnlock""",
    "what its tables hold is not documented; runtimes keep their own state by them": "GetExportTable",
}


def reasons():
    """The reason by base name."""
    return {"cu" + name: reason for reason, names in HARMLESS.items() for name in names.split()}
