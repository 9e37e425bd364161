import DivertEngine
import DivertWire
import Firewall
import Glibc
import Packets

/// The way of a packet through the host, as ip_input and ip_output have it on BSD.
extension HostState {
  /// A packet arrives, or re-enters as one that does.
  mutating func input(_ packet: [UInt8], on interface: UInt32, mark: UInt32 = 0, reentry: Reentry? = nil) {
    guard let packet = checked(packet, on: interface) else {
      counters.badHeader += 1
      return
    }
    let pass = Pass(
      direction: .incoming, receiveInterface: interface, isReinjected: reentry != nil)
    switch judge(packet, pass, PacketOrigin(mark: mark), reentry) {
    case .consumed: break
    case .denied: counters.denied += 1
    case .proceed: inputJudged(packet, on: interface, mark: mark)
    }
    goOn()
  }

  private mutating func inputJudged(_ packet: [UInt8], on interface: UInt32, mark: UInt32) {
    if isLocal(destination(of: packet)) {
      deliverLocally(packet)
    } else if forwards {
      forward(packet, from: interface, mark: mark)
    } else {
      counters.unreachable += 1
    }
  }

  /// Fragments that have waited long enough, or for each other.
  mutating func goOn() {
    while !waiting.isEmpty {
      let (packet, onward) = waiting.removeFirst()
      if onward.pass.direction == .incoming {
        inputJudged(packet, on: onward.pass.receiveInterface, mark: onward.origin.mark)
      } else {
        _ = transmit(packet, onward.pass)
      }
    }
  }

  /// The packet without what a link has padded it with, or nil if IP drops it.
  private mutating func checked(_ packet: [UInt8], on interface: UInt32) -> [UInt8]? {
    let fields = PacketFields(parsing: packet.rawSpan)
    guard fields.isReadable, Int(fields.length) <= packet.count else { return nil }
    if fields.version == 4 {
      let headerLength = Int(packet[0] & 15) * 4
      guard headerLength >= 20, headerLength <= Int(fields.length) else { return nil }
      guard Checksum.of(packet.rawSpan.extracting(first: headerLength)) == 0 else {
        badChecksums += 1
        return nil
      }
      let fromOrToLoopback =
        HostAddress(fields.source4).isLoopback || HostAddress(fields.destination4).isLoopback
      guard !fromOrToLoopback || interface == Self.loopback else { return nil }
    }
    return Array(packet.prefix(Int(fields.length)))
  }

  private mutating func forward(_ packet: [UInt8], from interface: UInt32, mark: UInt32) {
    var packet = packet
    let offset = packet[0] >> 4 == 4 ? 8 : 7
    guard packet[offset] > 1 else {
      counters.timeToLiveExceeded += 1
      return
    }
    packet[offset] -= 1
    if output(packet, receivedOn: interface, PacketOrigin(mark: mark)) == 0 { counters.forwarded += 1 }
  }

  /// A packet leaves, or re-enters as one that does.
  ///
  /// - Returns: 0, or the errno for whoever sends it. Diverted counts as sent.
  @discardableResult
  mutating func output(
    _ packet: [UInt8], receivedOn receiveInterface: UInt32, _ origin: PacketOrigin, reentry: Reentry? = nil
  ) -> CInt {
    guard PacketFields(parsing: packet.rawSpan).isReadable else {
      counters.badHeader += 1
      return EINVAL
    }
    let destination = destination(of: packet)
    let named = reentry?.pass.transmitInterface ?? 0
    guard let interface = wayOut(to: destination, from: source(of: packet), named: named) else {
      counters.unreachable += 1
      return destination.isOfSeveralLinks ? ENETUNREACH : EHOSTUNREACH
    }
    // RFC 1122 §3.2.1.3: 127/8 must not leave the host; the error is that of ip_output on BSD.
    guard packet[0] >> 4 == 6 || packet[12] != 127 || interface == Self.loopback else {
      counters.unreachable += 1
      return EADDRNOTAVAIL
    }
    let packet = completed(packet, on: interface)
    let pass = Pass(
      direction: .outgoing, receiveInterface: receiveInterface, transmitInterface: interface,
      isReinjected: reentry != nil)
    defer { goOn() }
    switch judge(packet, pass, origin, reentry) {
    case .consumed: return 0
    case .denied:
      counters.denied += 1
      return EACCES
    case .proceed: return transmit(packet, pass)
    }
  }

  /// With its header checksum, and with the interface's address where the source is 0.0.0.0.
  private func completed(_ packet: [UInt8], on interface: UInt32) -> [UInt8] {
    guard packet[0] >> 4 == 4 else { return packet }
    var packet = packet
    if packet[12..<16].allSatisfy({ $0 == 0 }),
      let source = sourceAddress(on: interface, version: 4)?.version4
    {
      packet.store(source.rawValue, at: 12)
    }
    let headerLength = Int(packet[0] & 15) * 4
    packet.store(0 as UInt16, at: 10)
    packet.store(Checksum.of(packet.rawSpan.extracting(first: headerLength)), at: 10)
    return packet
  }

  /// Sends a packet, in fragments where it is too large for the interface.
  ///
  /// - Returns: 0, or `EMSGSIZE` where it is not to be fragmented: by its flag (RFC 791 §3.1), or as IPv6 that is
  ///   forwarded (RFC 8200 §4.5). What a program has written is cut as if made here, as by ip6_output on BSD: it may
  ///   have come in fragments.
  private mutating func transmit(_ packet: [UInt8], _ pass: Pass) -> CInt {
    let interface = pass.transmitInterface
    let mtu = interfaces[interface]?.mtu ?? 0
    guard packet.count > mtu else {
      transmitWhole(packet, on: interface)
      return 0
    }
    let mayBeCut =
      packet[0] >> 4 == 4 ? packet[6] & 0x40 == 0 : pass.receiveInterface == 0 || pass.isReinjected
    guard mayBeCut, let fragments = fragments(of: packet, mtu) else {
      counters.tooBig += 1
      return EMSGSIZE
    }
    for fragment in fragments { transmitWhole(fragment, on: interface) }
    return 0
  }

  private mutating func fragments(of packet: [UInt8], _ mtu: Int) -> [[UInt8]]? {
    lastIdentification &+= 1
    return Fragmenting.fragments(of: packet.rawSpan, mtu: mtu, identification: lastIdentification)
  }

  private mutating func transmitWhole(_ packet: [UInt8], on interface: UInt32) {
    guard let host else { return }
    if interface == Self.loopback {
      outbox.append(Transit(host: host, packet: packet, interface: interface))
    } else if let peer = interfaces[interface]?.peer {
      guard let host = peer.host else { return }
      outbox.append(Transit(host: host, packet: packet, interface: peer.interface))
    } else {
      interfaces[interface]?.transmitted.append(packet)
    }
  }

  private mutating func judge(
    _ packet: [UInt8], _ pass: Pass, _ origin: PacketOrigin, _ reentry: Reentry?
  ) -> Judgement {
    withSink { engine, sink in
      engine.judge(
        packet.rawSpan, pass, from: reentry?.index ?? 0, passes: reentry?.passes ?? 0,
        arrival: reentry?.arrival ?? [], origin: origin, to: &sink)
    }
  }

  /// Ends the wait of fragments whose time is over.
  mutating func expireFragments() {
    withSink { engine, sink in engine.expireFragments(to: &sink) }
    goOn()
  }

  private mutating func withSink<Result>(_ body: (inout DivertEngine, inout PortSink) -> Result) -> Result {
    var sink = PortSink(ports: ports, now: now, marks: marks)
    marks = FormerMarks()
    defer {
      marks = sink.marks
      for port in sink.closed { ports.unbind(port) }
      waiting += sink.proceeding
    }
    return body(&engine, &sink)
  }

  /// A program writes a packet to a divert socket.
  ///
  /// - Returns: 0 or an errno. What becomes of an incoming packet nobody tells, as on BSD.
  mutating func reinject(_ packet: RawSpan, _ header: FrameHeader, mark: UInt32) -> CInt {
    let mark = mark != 0 || header.flags.contains(.ownMark) ? mark : marks.mark(of: header)
    switch engine.admit(packet, header) {
    case .refused(let code): return code
    case .reenters(let reentry):
      let packet = [UInt8](copying: packet)
      if reentry.pass.direction == .outgoing {
        return output(
          packet, receivedOn: reentry.pass.receiveInterface, PacketOrigin(mark: mark), reentry: reentry)
      }
      input(packet, on: reentry.pass.receiveInterface, mark: mark, reentry: reentry)
      return 0
    }
  }

  /// Only what no route tells, which link is meant, is left to the packet's address, or to its source.
  private func wayOut(
    to destination: HostAddress, from source: HostAddress, named interface: UInt32
  ) -> UInt32? {
    guard destination.isOfSeveralLinks else { return route(to: destination) }
    return interface != 0 ? interface : route(to: destination) ?? owner(of: source)
  }

  private func source(of packet: [UInt8]) -> HostAddress {
    let fields = PacketFields(parsing: packet.rawSpan)
    return fields.version == 6 ? HostAddress(fields.source6) : HostAddress(fields.source4)
  }

  func destination(of packet: [UInt8]) -> HostAddress {
    let fields = PacketFields(parsing: packet.rawSpan)
    return fields.version == 6 ? HostAddress(fields.destination6) : HostAddress(fields.destination4)
  }
}
