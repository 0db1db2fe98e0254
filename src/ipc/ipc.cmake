# Memory of the pool between processes: where they meet, what is said there, and the thread that listens.
find_package(Threads REQUIRED)
gmlake_layer(ipc SOURCES ipc/descriptor.cpp ipc/exports.cpp ipc/imports.cpp ipc/meeting_place.cpp ipc/message.cpp
  ipc/service.cpp ipc/ticket.cpp USES gmlake_support Threads::Threads)
