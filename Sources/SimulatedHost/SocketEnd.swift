import Divert
import DivertEngine
import DivertWire
import Glibc
import Kernel
import Packets
import Synchronization

/// The host's end of a divert socket: its receive buffer is what the kernel keeps between the two ends.
final class SocketEnd: Sendable {
  let descriptor: SharedDescriptor
  private let options: DivertOptions
  /// Packets for which there was no room.
  let dropped = Atomic<UInt64>(0)

  init(_ descriptor: consuming Descriptor, _ options: DivertOptions) {
    self.descriptor = SharedDescriptor(descriptor)
    self.options = options
  }

  /// Whether fragments are put together before they are delivered.
  var reassembles: Bool { !options.contains(.fragments) }

  /// Whether the client's end has been closed.
  var isAbandoned: Bool {
    var query = pollfd(fd: descriptor.number, events: 0, revents: 0)
    return unsafe poll(&query, 1, 0) == 1 && query.revents & Int16(POLLHUP | POLLERR) != 0
  }

  /// What has been sent and is yet to be read counts against the sender.
  func setReceiveBuffer(_ bytes: Int) throws(SystemError) {
    var size = CInt(clamping: bytes / 2)  // the kernel doubles it
    _ = try retrying("set the receive buffer") {
      unsafe setsockopt(
        descriptor.number, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<CInt>.size))
    }
  }

  /// Lets the client read to the end, and hear that it is the end.
  func finish() { _ = shutdown(descriptor.number, CInt(SHUT_WR)) }

  func deliver(_ packet: RawSpan, _ header: FrameHeader, _ origin: PacketOrigin, now: UInt64) -> Delivery {
    guard options.asksForNotes else { return deliver(packet, header) }
    let note = FrameNote(
      time: options.contains(.time) ? now : 0, mark: options.contains(.mark) ? origin.mark : 0,
      owner: options.contains(.owner) ? origin.ownerNumber : 0)
    var noted = [UInt8](copying: packet)
    unsafe withUnsafeBytes(of: note) { unsafe noted.append(contentsOf: $0) }
    return deliver(noted.rawSpan, header)
  }

  private func deliver(_ packet: RawSpan, _ header: FrameHeader) -> Delivery {
    var storage = InlineArray<14, UInt8>(repeating: 0)
    var span = storage.mutableSpan
    var head = unsafe span.mutableBytes
    header.write(to: &head, packetVersion: packet.integer(at: 0, as: UInt8.self) >> 4)
    do throws(SystemError) {
      try sendFrame(head.bytes, packet, to: descriptor.number, wait: false)
      return .delivered
    } catch {
      // Anything but a full buffer means that the other end is gone.
      guard error.code == EAGAIN || error.code == ENOBUFS || error.code == EMSGSIZE else {
        return .noListener
      }
      dropped.wrappingAdd(1, ordering: .relaxed)
      return .full
    }
  }
}

/// The two ends of a divert socket.
struct SocketPair: ~Copyable {
  let host: Descriptor
  let client: Descriptor

  init() throws(SystemError) {
    var pair: (CInt, CInt) = (-1, -1)
    _ = try retrying("open a divert socket") {
      unsafe withUnsafeMutableBytes(of: &pair) { pair in
        unsafe socketpair(
          AF_UNIX, CInt(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue), 0,
          pair.assumingMemoryBound(to: CInt.self).baseAddress)
      }
    }
    let host = Descriptor(owning: pair.0)
    let client = Descriptor(owning: pair.1)
    self.host = host
    self.client = client
  }
}

/// Delivers to the sockets of a host.
struct PortSink: DivertSink {
  let ports: PortTable<SocketEnd>
  let now: UInt64
  var marks: FormerMarks
  /// Ports whose sockets have been found closed.
  var closed: [UInt16] = []
  /// Fragments that go on.
  var proceeding: [(packet: [UInt8], onward: Onward)] = []

  func isBound(port: UInt16) -> Bool { ports[port].map { !$0.isAbandoned } ?? false }

  func wantsWholePackets(port: UInt16) -> Bool { ports[port]?.reassembles ?? false }

  mutating func proceed(_ packet: RawSpan, _ onward: Onward) {
    proceeding.append(([UInt8](copying: packet), onward))
  }

  mutating func deliver(
    _ packet: RawSpan, to port: UInt16, _ header: FrameHeader, _ origin: PacketOrigin
  ) -> Delivery {
    guard let end = ports[port] else { return .noListener }
    var header = header
    header.path = marks.path(ofMark: origin.mark, outgoing: header.flags.contains(.outgoing))
    let delivery = end.deliver(packet, header, origin, now: now)
    if delivery == .noListener { closed.append(port) }
    return delivery
  }
}
