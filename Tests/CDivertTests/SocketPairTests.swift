import CDivert
import DivertWire
import Glibc
import TestSupport
import Testing

/// Frames become packets with addresses, and the other way round, over a pair of sockets: the library works on it as on
/// a link. However the memory of a program is cut, it sees the same packet.
struct SocketPairTests {
  /// A link's end and a program's.
  private final class Pair {
    private let ends: [CInt]
    var link: CInt { ends[0] }
    var program: CInt { ends[1] }

    init() {
      var ends: [CInt] = [-1, -1]
      precondition(socketpair(AF_UNIX, CInt(SOCK_DGRAM.rawValue), 0, &ends) == 0)
      self.ends = ends
    }
    deinit { for end in ends { close(end) } }
  }

  private static let mostPieces = 1024  // IOV_MAX (limits.h), which the kernel takes in one call

  /// Pieces in a row over memory, some of them empty; they may end before it does, or behind it.
  private func pieces(
    of memory: UnsafeMutableRawBufferPointer, count: Int, _ random: inout SeededGenerator
  ) -> [iovec] {
    var offset = 0
    return (0..<count).map { _ in
      let longest = min([0, 1, 7, 40, 4000].randomElement(using: &random) ?? 0, memory.count - offset)
      let length = Int.random(in: 0...longest, using: &random)
      defer { offset += length }
      return iovec(iov_base: memory.baseAddress.map { $0 + offset }, iov_len: length)
    }
  }

  private func packet(_ random: inout SeededGenerator) -> [UInt8] {
    var bytes = random.bytes([20, 21, 28, 39, 40, 41, 100, 1500, 3000].randomElement(using: &random) ?? 20)
    bytes[0] = 0x45
    (bytes[2], bytes[3]) = (UInt8(bytes.count >> 8), UInt8(bytes.count & 0xff))
    return bytes
  }

  private static let counts = [0, 1, 1, 2, 3, 5, 20, 300, mostPieces - 2, mostPieces - 1, mostPieces]

  @Test func `read into any pieces`() {
    var random = SeededGenerator()
    let pair = Pair()
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
    defer { memory.deallocate() }
    for round in 0..<5000 {
      let packet = packet(&random), tag = UInt16.random(in: 0 ... .max, using: &random)
      let padding = random.bytes(Int.random(in: 0...1, using: &random) * 18)
      let frame =
        frameBytes(
          FrameHeader(
            tag: tag, interface: 0, flags: .outgoing, passes: 0, operation: .diverted), packet)
        + padding
      #expect(send(pair.link, frame, frame.count, 0) == frame.count)

      let count = Self.counts.randomElement(using: &random) ?? 1
      var vector = pieces(of: memory, count: count, &random)
      let room = vector.reduce(0) { $0 + Int($1.iov_len) }
      memory.initializeMemory(as: UInt8.self, repeating: 0xa5)
      var (address, isWhole) = (sockaddr_in(), Bool.random(using: &random))
      let flags = isWhole ? CInt(MSG_TRUNC) : 0
      var message = msghdr()
      let length = vector.withUnsafeMutableBufferPointer { vector in
        withUnsafeMutableBytes(of: &address) { name in
          message.msg_name = name.baseAddress
          message.msg_namelen = socklen_t(name.count)
          message.msg_iov = vector.baseAddress
          message.msg_iovlen = vector.count
          return divert_recvmsg(pair.program, &message, flags)
        }
      }
      let comment = Comment(
        "seed \(testSeed), round \(round): \(packet.count) bytes into \(count) pieces, \(room)")
      #expect(length == (isWhole ? packet.count : min(packet.count, room)), comment)
      #expect(Array(memory.prefix(min(packet.count, room))) == Array(packet.prefix(room)), comment)
      #expect(memory.dropFirst(room).allSatisfy { $0 == 0xa5 }, comment)
      #expect((message.msg_flags & CInt(MSG_TRUNC) != 0) == (packet.count > room), comment)
      #expect(address.sin_port == tag && message.msg_namelen == 16 && message.msg_iovlen == count, comment)
    }
  }

  @Test func `written from any pieces`() {
    var random = SeededGenerator()
    let pair = Pair()
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
    defer { memory.deallocate() }
    var received = [UInt8](repeating: 0, count: 8192)
    for round in 0..<5000 {
      let count = Self.counts.randomElement(using: &random) ?? 1
      var vector = pieces(of: memory, count: count, &random)
      let size = vector.reduce(0) { $0 + Int($1.iov_len) }
      memory.copyBytes(from: random.bytes(memory.count))
      memory[0] = 0x45
      (memory[2], memory[3]) = (UInt8(size >> 8), UInt8(size & 0xff))
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = .random(in: 0 ... .max, using: &random)
      var message = msghdr()
      let sent = vector.withUnsafeMutableBufferPointer { vector in
        withUnsafeMutableBytes(of: &address) { name in
          message.msg_name = name.baseAddress
          message.msg_namelen = socklen_t(name.count)
          message.msg_iov = vector.baseAddress
          message.msg_iovlen = vector.count
          return divert_sendmsg(pair.program, &message, 0)
        }
      }
      let comment = Comment("seed \(testSeed), round \(round): \(size) bytes from \(count) pieces")
      guard size >= 20 else {
        #expect(sent == -1 && errno == EINVAL, comment)
        continue
      }
      #expect(sent == size, comment)
      let came = recv(pair.link, &received, received.count, 0)
      let header = FrameHeader(
        tag: address.sin_port, interface: 0, flags: .outgoing, passes: 1, operation: .reinject)
      #expect(Array(received.prefix(max(0, came))) == frameBytes(header, memory.prefix(size)), comment)
    }
  }

  private func frameBytes(_ header: FrameHeader, _ packet: some Sequence<UInt8>) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: FrameHeader.packetOffset)
    bytes.withUnsafeMutableBytes { buffer in
      var span = MutableRawSpan(_unsafeBytes: buffer)
      header.write(to: &span, packetVersion: 4)
    }
    return bytes + packet
  }
}
