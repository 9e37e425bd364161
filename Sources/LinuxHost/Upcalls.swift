import DivertEngine
import DivertWire
import Firewall
import Kernel
import Packets
import RuleCompiler

/// Packets that a hook could not judge by itself: the engine finishes the judgement here.
extension LinuxHost {
  /// Judges what has come, at most so many packets that the other work does not wait for long.
  package func handleUpcalls() {
    prepareEngine()
    for _ in 0..<256 {
      guard let (count, note) = PacketSocket.receive(upcallSocket, into: &upcallFrame) else { return }
      guard count <= upcallFrame.count else { continue }
      judge(Array(upcallFrame.prefix(count)), PacketOrigin(mark: note.mark, ownerNumber: note.owner))
    }
  }

  /// Ends the wait of fragments whose others have not come.
  package func expireFragments() {
    prepareEngine()
    var sink = LinkSink(host: self)
    engine.expireFragments(to: &sink)
  }

  /// Nanoseconds until ``expireFragments()`` has something to do; nil while no fragments wait.
  package var nextFragmentExpiry: UInt64? {
    let now = KernelClock.monotonicCoarse.now
    return engine.fragments.nextExpiry.map { $0 > now ? $0 - now : 0 }
  }

  private func prepareEngine() {
    if engine.view != view { engine.replace(view) }
    engine.ruleCounters.now = KernelClock.realTime.now
    engine.now = KernelClock.monotonicCoarse.now
  }

  private func judge(_ frame: [UInt8], _ origin: PacketOrigin) {
    let bytes = unsafe frame.span.bytes
    guard let header = FrameHeader(parsing: bytes), header.operation == .upcall else { return }
    let frame = bytes.extracting(droppingFirst: FrameHeader.packetOffset)
    let packet = frame.extracting(first: Reinjection.length(of: frame))
    let outgoing = header.flags.contains(.outgoing)
    let locallyMade = header.flags.contains(.transmitInterface)
    var pass = Pass(
      direction: outgoing ? .outgoing : .incoming, receiveInterface: locallyMade ? 0 : header.interface,
      transmitInterface: locallyMade ? header.interface : 0, isReinjected: header.flags.contains(.reinjected))
    if outgoing, !locallyMade {
      // By which interface a forwarded packet leaves only the table of paths says.
      guard let interface = paths.transmitInterface(of: header.path) else {
        unplacedUpcalls += 1
        return
      }
      pass.transmitInterface = interface
    }
    // The hook stopped *at* the rule with this number, a restart goes on *after* one.
    let index = engine.ruleSet.index(after: header.tag == 0 ? 0 : header.tag - 1)
    var sink = LinkSink(host: self)
    let judgement = engine.judge(
      packet, pass, from: index, passes: header.passes, arrival: header.flags, path: header.path,
      origin: origin, to: &sink)
    guard judgement == .proceed else { return }
    let onward = Onward(
      pass, passes: header.passes, arrival: header.flags, path: header.path, origin: origin)
    accept(packet, onward)
  }

  /// Lets a packet go on that has been judged to the end, cut to the size that its way takes.
  fileprivate func accept(_ packet: RawSpan, _ onward: Onward) {
    let mtu = mtu(for: packet, onward.pass)
    guard packet.byteCount > mtu else {
      return write(packet, FrameHeader(onward, .accept, tag: 0), to: upcallInterface, onward.origin)
    }
    // IPv4 packets keep their identification.
    let identification = UInt32.random(in: 0 ... .max)
    let fragments = Fragmenting.fragments(of: packet, mtu: mtu, identification: identification) ?? []
    for fragment in fragments {
      write(
        unsafe fragment.span.bytes, FrameHeader(onward, .accept, tag: 0), to: upcallInterface, onward.origin)
    }
  }

  private func mtu(for packet: RawSpan, _ pass: Pass) -> Int {
    // Every link takes so much (RFC 8200 §5), or is IPv4's own business.
    guard packet.byteCount > 1280 else { return packet.byteCount }
    let index = pass.direction == .incoming ? pass.receiveInterface : pass.transmitInterface
    let device = interfaces.first { $0.index == index }.map { Int($0.mtu) } ?? packet.byteCount
    guard pass.direction == .outgoing else { return device }
    let fields = PacketFields(parsing: packet)
    let path =
      fields.version == 4
      ? pathMTU(to4: fields.destination4.rawValue)
      : pathMTU(to6: (fields.destination6.high, fields.destination6.low))
    return min(device, path ?? device)
  }

  /// The owner goes where the hooks have it, too: in the priority. What divertd lets go on has none.
  fileprivate func deliver(
    _ packet: RawSpan, to port: UInt16, _ header: FrameHeader, on link: UInt32, _ origin: PacketOrigin
  ) {
    let tells = origin.owner != nil && wantsOwner(port: port)
    if tells { try? PacketSocket.setPriority(upcallSocket, origin.ownerNumber) }
    write(packet, header, to: link, origin)
    if tells { try? PacketSocket.setPriority(upcallSocket, 0) }
  }

  /// Writes a packet to a link as what the header says.
  fileprivate func write(
    _ packet: RawSpan, _ header: FrameHeader, to link: UInt32, _ origin: PacketOrigin
  ) {
    var frame = [UInt8](repeating: 0, count: FrameHeader.packetOffset)
    frame.reserveCapacity(frame.count + packet.byteCount)
    unsafe packet.withUnsafeBytes { unsafe frame.append(contentsOf: $0) }
    var span = frame.mutableSpan
    var bytes = unsafe span.mutableBytes
    header.write(to: &bytes, packetVersion: packet.integer(at: 0, as: UInt8.self) >> 4)
    // What the hook refuses, it counts. And ENOBUFS comes from a device that has dropped the frame after it was shown to
    // the socket, as it always does.
    try? PacketSocket.send(frame, on: upcallSocket, to: link, mark: origin.mark)
  }
}

/// Writes what the engine diverts to the ports' links, from where their sockets read it, and lets go what may go on.
private struct LinkSink: DivertSink {
  let host: LinuxHost

  var longestPacket: Int { Int(TapDevice.maximumMTU) }

  func isBound(port: UInt16) -> Bool { host.link(ofPort: port) != nil }

  func wantsWholePackets(port: UInt16) -> Bool { host.wantsWholePackets(port: port) }

  mutating func deliver(
    _ packet: RawSpan, to port: UInt16, _ header: FrameHeader, _ origin: PacketOrigin
  ) -> Delivery {
    guard let link = host.link(ofPort: port) else { return .noListener }
    var header = header
    header.operation = .deliver
    host.deliver(packet, to: port, header, on: link, origin)
    host.hookCounts.countDelivery(to: port, isTee: header.flags.contains(.tee))
    return .delivered
  }

  mutating func proceed(_ packet: RawSpan, _ onward: Onward) { host.accept(packet, onward) }
}
