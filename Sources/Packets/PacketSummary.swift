/// Packets as a line of text each, in the manner of tcpdump.
public enum PacketSummary {
  /// One line on a packet, which may be anything.
  ///
  /// ```
  /// 192.0.2.1 > 192.0.2.2: ICMP echo request, id 7, seq 1, length 64
  /// 192.0.2.1.1234 > 192.0.2.2.80: tcp SYN, ACK, seq 1, ack 2, win 65535, length 0
  /// 192.0.2.1 > 192.0.2.2: udp (frag 7:1480@1480+)
  /// ```
  ///
  /// - Parameter packet: From the IP header on.
  public static func summary(of packet: RawSpan) -> String {
    do throws(FormatError) {
      let version = packet.isEmpty ? 0 : packet.integer(at: 0, as: UInt8.self) >> 4
      return version == 6 ? summary(try IPv6(packet)) : summary(try IPv4(packet))
    } catch {
      let start = packet.extracting(first: min(packet.byteCount, 16)).byteArray.map { byte in
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
      let more = packet.byteCount > 16 ? " …" : ""
      return "no packet (\(error)), \(packet.byteCount) bytes: \(start.joined(separator: " "))\(more)"
    }
  }

  private static func summary(_ ip: borrowing IPv4) -> String {
    var line = Line(
      source: "\(ip.source)", destination: "\(ip.destination)", protocolNumber: ip.protocolNumber)
    if ip.isFragment {
      line.fragment =
        "\(ip.identification):\(ip.payload.byteCount)@\(ip.fragmentOffset)\(ip.moreFragments ? "+" : "")"
    }
    return line.text(ip.payload, isLater: ip.fragmentOffset != 0)
  }

  private static func summary(_ ip: borrowing IPv6) -> String {
    guard let upper = ip.upperLayer else {
      return "\(ip.source) > \(ip.destination): extension header cut short, length \(ip.totalLength - 40)"
    }
    var line = Line(
      source: "\(ip.source)", destination: "\(ip.destination)", protocolNumber: upper.protocolNumber)
    let payload = ip.payload.extracting(droppingFirst: upper.offset - 40)
    if let id = upper.fragmentIdentification {
      line.fragment = "\(id):\(payload.byteCount)@\(upper.fragmentOffset)\(upper.moreFragments ? "+" : "")"
    }
    return line.text(payload, isLater: upper.fragmentOffset != 0)
  }

  private struct Line {
    let source: String
    let destination: String
    let protocolNumber: UInt8
    /// `id:length@offset`, and `+` where more are to come.
    var fragment: String?

    func text(_ payload: RawSpan, isLater: Bool) -> String {
      let behind = fragment.map { " (frag \($0))" } ?? ""
      if isLater { return "\(source) > \(destination): \(protocolName)\(behind)" }
      let told = transport(payload) ?? " > \(destination): \(protocolName), length \(payload.byteCount)"
      return source + told + behind
    }

    /// What follows the source address; nil for other protocols.
    private func transport(_ payload: RawSpan) -> String? {
      do throws(FormatError) {
        switch protocolNumber {
        case 6:
          // a first fragment, too, has its header
          let tcp = try TCP(payload)
          let ack = tcp.flags.contains(.ack) ? ", ack \(tcp.acknowledgementNumber)" : ""
          return ".\(tcp.sourcePort) > \(destination).\(tcp.destinationPort): tcp \(Self.names(tcp.flags)), "
            + "seq \(tcp.sequenceNumber)\(ack), win \(tcp.window), length \(tcp.payload.byteCount)"
        case 17:
          // a first fragment has less than the datagram's length
          guard payload.byteCount >= 8 else { throw .truncated("UDP", has: payload.byteCount, needs: 8) }
          let length = Int(payload.integer(at: 4, as: UInt16.self))
          guard length >= 8, fragment != nil || length <= payload.byteCount else {
            throw .badLength("UDP", length)
          }
          return ".\(payload.integer(at: 0, as: UInt16.self)) > "
            + "\(destination).\(payload.integer(at: 2, as: UInt16.self)): udp, length \(length - 8)"
        case 1, 58:
          let icmp = try ICMP(payload)
          let name = protocolNumber == 1 ? "ICMP" : "ICMP6"
          let told = Self.message(icmp, isVersion6: protocolNumber == 58)
          return " > \(destination): \(name) \(told), length \(payload.byteCount)"
        default:
          return nil
        }
      } catch {
        return " > \(destination): \(error)"
      }
    }

    private static func names(_ flags: TCPFlags) -> String {
      let all: [(TCPFlags, String)] = [
        (.syn, "SYN"), (.fin, "FIN"), (.rst, "RST"), (.psh, "PSH"), (.ack, "ACK"), (.urg, "URG"),
        (.ece, "ECE"), (.cwr, "CWR"),
      ]
      let names = all.filter { flags.contains($0.0) }.map(\.1)
      return names.isEmpty ? "no flags" : names.joined(separator: ", ")
    }

    private static func message(_ icmp: borrowing ICMP, isVersion6: Bool) -> String {
      let echo = "id \(icmp.identifier), seq \(icmp.sequenceNumber)"
      switch (icmp.type, isVersion6) {
      case (8, false), (128, true): return "echo request, \(echo)"
      case (0, false), (129, true): return "echo reply, \(echo)"
      case (3, false), (1, true): return "destination unreachable, code \(icmp.code)"
      case (2, true): return "packet too big"
      case (5, false), (137, true): return "redirect"
      case (11, false), (3, true): return "time exceeded"
      case (12, false), (4, true): return "parameter problem"
      case (133, true): return "router solicitation"
      case (134, true): return "router advertisement"
      case (135, true): return "neighbor solicitation"
      case (136, true): return "neighbor advertisement"
      default: return "type \(icmp.type), code \(icmp.code)"
      }
    }

    private var protocolName: String {
      switch protocolNumber {
      case 1: "icmp"
      case 2: "igmp"
      case 4: "ipencap"
      case 6: "tcp"
      case 17: "udp"
      case 41: "ipv6"
      case 47: "gre"
      case 50: "esp"
      case 51: "ah"
      case 58: "ipv6-icmp"
      case 59: "no next header"
      case 89: "ospf"
      case 132: "sctp"
      case 136: "udplite"
      default: "protocol \(protocolNumber)"
      }
    }
  }
}
