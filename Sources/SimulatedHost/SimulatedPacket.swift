import Packets

/// Makes packets with right lengths and checksums.
public enum SimulatedPacket {
  /// An ICMP echo request, ICMPv6 between IPv6 addresses.
  public static func echoRequest(
    from source: String, to destination: String, identifier: UInt16 = 1, sequence: UInt16 = 1,
    payload: [UInt8] = [], timeToLive: UInt8 = 64
  ) throws(SimulationError) -> [UInt8] {
    let (source, destination) = (try HostAddress(source), try HostAddress(destination))
    let message = echo(type: destination.version == 4 ? 8 : 128, identifier, sequence, payload)
    return packet(
      source, destination, protocolNumber: destination.version == 4 ? 1 : 58, message, timeToLive)
  }

  /// A UDP datagram.
  public static func udp(
    from source: String, port sourcePort: UInt16, to destination: String, port destinationPort: UInt16,
    payload: [UInt8], timeToLive: UInt8 = 64
  ) throws(SimulationError) -> [UInt8] {
    let (source, destination) = (try HostAddress(source), try HostAddress(destination))
    var datagram = [UInt8](repeating: 0, count: 8) + payload
    datagram.store(sourcePort, at: 0)
    datagram.store(destinationPort, at: 2)
    datagram.store(UInt16(truncatingIfNeeded: datagram.count), at: 4)
    return packet(source, destination, protocolNumber: 17, datagram, timeToLive)
  }

  static func echo(type: UInt8, _ identifier: UInt16, _ sequence: UInt16, _ payload: [UInt8]) -> [UInt8] {
    var message = [UInt8](repeating: 0, count: 8) + payload
    message[0] = type
    message.store(identifier, at: 4)
    message.store(sequence, at: 6)
    return message
  }

  /// A whole packet; the transport checksum in the payload is filled in.
  static func packet(
    _ source: HostAddress, _ destination: HostAddress, protocolNumber: UInt8, _ payload: [UInt8],
    _ timeToLive: UInt8
  ) -> [UInt8] {
    guard source.version == 4 else {
      var header = [UInt8](repeating: 0, count: 40)
      header[0] = 0x60
      header.store(UInt16(truncatingIfNeeded: payload.count), at: 4)
      (header[6], header[7]) = (protocolNumber, timeToLive)
      header.store(source.high, at: 8)
      header.store(source.low, at: 16)
      header.store(destination.high, at: 24)
      header.store(destination.low, at: 32)
      return withTransportChecksum(header + payload)
    }
    var header = [UInt8](repeating: 0, count: 20)
    header[0] = 0x45
    header.store(UInt16(truncatingIfNeeded: 20 + payload.count), at: 2)
    (header[8], header[9]) = (timeToLive, protocolNumber)
    header.store(UInt32(truncatingIfNeeded: source.low), at: 12)
    header.store(UInt32(truncatingIfNeeded: destination.low), at: 16)
    header.store(Checksum.of(header.rawSpan), at: 10)
    return withTransportChecksum(header + payload)
  }

  private static func withTransportChecksum(_ packet: [UInt8]) -> [UInt8] {
    var packet = packet
    var span = packet.mutableSpan
    var bytes = unsafe span.mutableBytes
    Checksum.updateTransport(of: &bytes)
    return packet
  }
}
