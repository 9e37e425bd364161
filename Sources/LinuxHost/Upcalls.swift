import DivertEngine
import DivertWire
import Firewall
import Kernel
import Packets

/// Packets that a hook could not judge by itself: the engine finishes the judgement here.
extension LinuxHost {
  /// Judges what has come, at most so many packets that the other work does not wait for long.
  package func handleUpcalls() {
    engine.ruleCounters.now = KernelClock.realTime.now
    for _ in 0..<256 {
      guard let count = PacketSocket.receive(upcallSocket, into: &upcallFrame) else { return }
      guard count <= upcallFrame.count else { continue }
      judge(Array(upcallFrame.prefix(count)))
    }
  }

  private func judge(_ frame: [UInt8]) {
    let bytes = unsafe frame.span.bytes
    guard let header = FrameHeader(parsing: bytes), header.operation == .upcall else { return }
    let packet = bytes.extracting(droppingFirst: FrameHeader.packetOffset)
    let outgoing = header.flags.contains(.outgoing)
    let locallyMade = header.flags.contains(.transmitInterface)
    let pass = Pass(
      direction: outgoing ? .outgoing : .incoming, receiveInterface: locallyMade ? 0 : header.interface,
      transmitInterface: locallyMade ? header.interface : UInt32(header.port))
    // The hook stopped *at* the rule with this number, a restart goes on *after* one.
    let index = engine.ruleSet.index(after: header.tag == 0 ? 0 : header.tag - 1)
    var deliveries = LinkDeliveries(host: self)
    let judgement = engine.judge(
      packet, pass, from: index, passes: header.passes, arrival: header.flags, to: &deliveries)
    if judgement == .proceed { accept(frame, header) }
  }

  private func accept(_ frame: [UInt8], _ header: FrameHeader) {
    var header = header
    header.operation = .accept
    header.port = 0
    var frame = frame
    var span = frame.mutableSpan
    var bytes = unsafe span.mutableBytes
    header.write(
      to: &bytes, packetVersion: bytes.bytes.integer(at: FrameHeader.packetOffset, as: UInt8.self) >> 4)
    // What the hook refuses, it counts; the packet is lost as any that cannot be forwarded.
    try? PacketSocket.send(frame, on: upcallSocket, to: upcallInterface)
  }
}

/// Writes what the engine diverts to the ports' links, from where their sockets read it.
private struct LinkDeliveries: DivertSink {
  let host: LinuxHost

  mutating func deliver(_ packet: RawSpan, _ header: FrameHeader) -> Delivery {
    guard let link = host.link(ofPort: header.port) else { return .noListener }
    var header = header
    header.operation = .deliver
    var frame = [UInt8](repeating: 0, count: FrameHeader.packetOffset + packet.byteCount)
    var span = frame.mutableSpan
    var bytes = unsafe span.mutableBytes
    header.write(to: &bytes, packetVersion: packet.integer(at: 0, as: UInt8.self) >> 4)
    for offset in 0..<packet.byteCount {
      bytes.store(packet.integer(at: offset, as: UInt8.self), at: FrameHeader.packetOffset + offset)
    }
    // ENOBUFS: the device has dropped the frame after showing it to the socket, as it always does.
    try? PacketSocket.send(frame, on: host.upcallSocket, to: link)
    return .delivered
  }
}
