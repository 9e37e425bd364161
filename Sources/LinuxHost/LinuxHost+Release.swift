import DivertWire
import Glibc
package import Kernel
import RuleCompiler

extension LinuxHost {
  /// Frees the port of a socket that goes on to be read: nothing that was diverted to it is lost, and behind that it is
  /// told its end.
  ///
  /// - Throws: `EINVAL` for a socket that is none of ours.
  package func release(_ socket: borrowing Descriptor) throws(SystemError) {
    let cookie = try handedOut(socket, "release a divert port").cookie
    guard let port = ports.port(of: cookie), let link = link(ofPort: port) else { return }
    hookCounts.set(port: port, link: 0, options: [])
    try PacketSocket.waitForPacketsUnderWay()
    try tellReleased(port, link, socket)
    // As an unbound one it sends from here on; the link goes, and its name is free for the next who binds the port.
    try PacketSocket.bind(socket, to: upcallInterface, receiving: false)
    ports.release(port)
    try write(cookie)
  }

  private func tellReleased(
    _ port: UInt16, _ link: UInt32, _ socket: borrowing Descriptor
  ) throws(SystemError) {
    var frame = [UInt8](repeating: 0, count: FrameHeader.packetOffset)
    var span = frame.mutableSpan
    var bytes = unsafe span.mutableBytes
    FrameHeader(tag: 0, interface: 0, flags: [], passes: 0, operation: .released)
      .write(to: &bytes)
    // A full buffer would be told nothing; it is over by one frame at most, which is of 64 KiB and its bookkeeping.
    let size = try PacketSocket.receiveBuffer(socket)
    let room: CInt = 1 << 20
    try PacketSocket.setReceiveBuffer(socket, bytes: min(size, .max - room) + room)
    try? PacketSocket.send(frame, on: upcallSocket, to: link)
    try PacketSocket.setReceiveBuffer(socket, bytes: size)
  }
}
