import DivertWire
import Packets

/// The part of a host that packets are addressed to.
extension HostState {
  /// A program's packet: as ``output(_:receivedOn:_:reentry:)``, made here.
  mutating func send(_ packet: [UInt8], _ origin: PacketOrigin = PacketOrigin()) -> CInt {
    output(packet, receivedOn: 0, origin)
  }

  mutating func deliverLocally(_ packet: [UInt8]) {
    guard let packet = reassembled(packet) else { return }
    guard let answer = echoReply(to: packet) else { return received.append(packet) }
    _ = send(answer)
  }

  /// The whole packet, once all its fragments have come.
  private mutating func reassembled(_ packet: [UInt8]) -> [UInt8]? {
    let fields = PacketFields(parsing: packet.rawSpan)
    guard fields.moreFragments || fields.fragmentOffset != 0 else { return packet }
    defer { (_, _) = (arrived.takeEvicted(), arrived.takeExpired(now: now)) }
    guard case .complete(let datagram) = arrived.add(packet.rawSpan, (), domain: 0, now: now) else {
      return nil
    }
    return datagram.assembled()
  }

  /// The answer to an echo request to an address of this host's own (RFC 1122 §3.2.2.6; RFC 4443 §4.2).
  private func echoReply(to packet: [UInt8]) -> [UInt8]? {
    let fields = PacketFields(parsing: packet.rawSpan)
    let isVersion4 = fields.version == 4
    guard fields.transport == .icmp, fields.icmpType == (isVersion4 ? 8 : 128), !fields.moreFragments,
      fields.protocolNumber == (isVersion4 ? 1 : 58)
    else { return nil }
    let source = isVersion4 ? HostAddress(fields.source4) : HostAddress(fields.source6)
    let destination = isVersion4 ? HostAddress(fields.destination4) : HostAddress(fields.destination6)
    guard owner(of: destination) != nil, let start = transportStart(in: packet), packet.count >= start + 8
    else { return nil }
    guard Checksum.isTransportValid(in: packet.rawSpan) == true else { return nil }
    let bytes = packet.rawSpan
    let reply = SimulatedPacket.echo(
      type: isVersion4 ? 0 : 129, bytes.integer(at: start + 4), bytes.integer(at: start + 6),
      Array(packet[(start + 8)...]))
    return SimulatedPacket.packet(destination, source, protocolNumber: fields.protocolNumber, reply, 64)
  }

  /// Behind options or extension headers.
  private func transportStart(in packet: [UInt8]) -> Int? {
    if packet[0] >> 4 == 4 { return Int(packet[0] & 15) * 4 }
    return (try? IPv6(packet.rawSpan))?.upperLayer?.offset
  }
}
