import Divert
import DivertWire
import Glibc
import TestSupport
import Testing

struct DivertSocketTests {
  static let echo = hex("4500001c 00010000 4001 f6dc c0000201 c0000202 0800 f7fd 0001 0001")
  static let incoming = FrameHeader(
    tag: 100, interface: 3, flags: [], passes: 2, operation: .diverted)
  let link: FrameLink

  init() throws { link = try FrameLink() }

  private func open() throws -> DivertSocket { try DivertSocket(port: 2000, on: link) }

  @Test func `a packet is read as it was diverted`() throws {
    var socket = try open()
    var header = Self.incoming
    header.flags = [.tee, .broadcast]
    try link.send(header, Self.echo)
    var batch = try socket.read()
    #expect(batch.count == 1 && !batch.isEmpty)
    guard let packet = batch.next() else {
      Issue.record("no packet")
      return
    }
    #expect([UInt8](packet.bytes) == Self.echo)
    #expect(packet.tag == 100)
    #expect(packet.direction == .incoming)
    #expect(packet.interfaceIndex == 3)
    #expect(packet.interfaceName == "em0")
    #expect(packet.passes == 2)
    #expect(packet.isTee == true)
    let address = packet.address
    #expect(address.interface == .index(3) && address.tag == 100 && address.passes == 2)
    #expect(packet.copy().bytes == Self.echo)
  }

  @Test func `packets come in order, as many as there are, at most a batch`() throws {
    var socket = try open()
    for number in 0..<70 {
      var header = Self.incoming
      header.tag = UInt16(number)
      try link.send(header, Self.echo)
    }
    var tags: [UInt16] = []
    var sizes: [Int] = []
    while tags.count < 70 {
      var batch = try socket.read(timeout: .zero)
      sizes.append(batch.count)
      while let packet = batch.next() { tags.append(packet.tag) }
    }
    #expect(sizes == [64, 6])
    #expect(tags == Array(0..<70))
    #expect(socket.statistics.received == 70)
  }

  @Test func `what is not for the reader is passed over`() throws {
    var socket = try open()
    var other = Self.incoming
    other.operation = .reinject
    try link.send(other, Self.echo)
    for _ in 0..<100 { try link.send(other, Self.echo) }
    try link.send(hex("07d0"))
    try link.send(hex("ffffffffffff ffffffffffff 0806 0001"))
    other.operation = .deliver
    try link.send(other, Self.echo + [0, 0, 0])
    var batch = try socket.read(timeout: .zero)
    #expect(batch.count == 1)
    var packets: [[UInt8]] = []
    while let packet = batch.next() { packets.append([UInt8](packet.bytes)) }
    #expect(packets == [Self.echo], "without the padding")
  }

  @Test func `the largest packet`() throws {
    var socket = try open()
    var packet = Self.echo + (28..<65_535).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    (packet[2], packet[3]) = (0xff, 0xff)
    try link.send(Self.incoming, packet)
    let writer = socket.writer
    var batch = try socket.read()
    while let received = batch.next() {
      #expect([UInt8](received.bytes) == packet)
      try writer.reinject(received)
    }
    #expect(try #require(link.receive()).dropFirst(14).elementsEqual(packet))
  }

  @Test func `a time without packets gives an empty batch`() throws {
    var socket = try open()
    #expect(try socket.read(timeout: .zero).isEmpty)
    #expect(try socket.read(timeout: .milliseconds(1)).isEmpty)
  }

  @Test func `written back, it is the same packet with one pass more`() throws {
    var socket = try open()
    let writer = socket.writer
    var header = Self.incoming
    header.flags = [.tee, .multicast]
    try link.send(header, Self.echo)
    var batch = try socket.read()
    while let packet = batch.next() { try writer.reinject(packet) }
    let frame = try #require(link.receive())
    #expect(frame == hex("22 04 0064 00000003 0000 00 03 0800") + Self.echo)
    #expect(link.receive() == nil)
  }

  @Test func `a batch is written back without what was dropped`() throws {
    var socket = try open()
    let writer = socket.writer
    for tag in 1...5 as ClosedRange<UInt16> {
      var header = Self.incoming
      header.tag = tag
      if tag == 2 { header.flags = .outgoing }
      try link.send(header, Self.echo)
    }
    var batch = try socket.read()
    while var packet = batch.next() {
      switch packet.tag {
      case 2:
        // Changed in place; the checksum of an outgoing header is the host's to make right.
        var bytes = packet.mutableBytes
        bytes.storeBytes(of: 63, toByteOffset: 8, as: UInt8.self)
      case 3: packet.drop()
      case 4: packet.tag = 40
      default: break
      }
    }
    let result = writer.reinject(batch)
    #expect(result.written == 4 && result.refused == 0 && result.lastError == nil)
    #expect(link.receive() == hex("22 00 0001 00000003 0000 00 03 0800") + Self.echo)
    let changed = hex("4500001c 00010000 3f01 f6dc c0000201 c0000202 0800 f7fd 0001 0001")
    #expect(link.receive() == hex("22 01 0002 00000003 0000 00 03 0800") + changed)
    #expect(link.receive() == hex("22 00 0028 00000003 0000 00 03 0800") + Self.echo)
    #expect(link.receive() == hex("22 00 0005 00000003 0000 00 03 0800") + Self.echo)
    #expect(link.receive() == nil)
  }

  @Test func `new packets`() throws {
    let socket = try open()
    var noChecksum = Self.echo
    (noChecksum[10], noChecksum[11]) = (0xde, 0xad)
    try socket.writer.reinject(noChecksum, as: .outgoing())
    #expect(link.receive() == hex("22 01 0000 00000000 0000 00 01 0800") + noChecksum)
    try socket.writer.reinject(Self.echo, as: .incoming(on: "em0", tag: 7))
    #expect(link.receive() == hex("22 00 0007 00000003 0000 00 01 0800") + Self.echo)
    try socket.writer.reinject(Self.echo, as: .incoming(at: .init(rawValue: 0xc000_0201)))
    #expect(link.receive() == hex("22 00 0000 00000003 0000 00 01 0800") + Self.echo)
    try socket.writer.reinject(noChecksum, as: .incoming(onIndex: 9))
    #expect(link.receive() == hex("22 00 0000 00000009 0000 00 01 0800") + noChecksum)
  }

  @Test func `what is refused is an error about one packet`() throws {
    let socket = try open()
    func code(_ packet: [UInt8], _ address: DivertAddress) -> CInt? {
      do throws(SystemError) {
        try socket.writer.reinject(packet, as: address)
        return nil
      } catch { return error.code }
    }
    #expect(code([], .outgoing()) == EINVAL)
    #expect(code(Array(Self.echo.prefix(27)), .outgoing()) == EINVAL)
    #expect(code([0x55] + Self.echo.dropFirst(), .outgoing()) == EAFNOSUPPORT)
    #expect(code(Self.echo + [UInt8](repeating: 0, count: 65_536), .outgoing()) == EMSGSIZE)
    #expect(code(Self.echo, .incoming(on: "em1")) == EADDRNOTAVAIL)
    #expect(code(Self.echo, .incoming(on: "a-name-that-is-far-too-long")) == EADDRNOTAVAIL)
    #expect(code(Self.echo, .incoming(at: .init(rawValue: 0xc000_0299))) == EADDRNOTAVAIL)
    #expect(code(Self.echo, .incoming(onIndex: 0)) == EADDRNOTAVAIL)
    var looped = DivertAddress.outgoing()
    looped.passes = 15
    #expect(code(Self.echo, looped) == nil)
    looped.passes = 16
    #expect(code(Self.echo, looped) == ELOOP)
    #expect(socket.statistics.refused == 9)
    #expect(link.receive() != nil && link.receive() == nil)
  }

  @Test func `one bad packet in a batch keeps no other back`() throws {
    var socket = try open()
    let writer = socket.writer
    for passes in [0, 16, 1] as [UInt8] {
      var header = Self.incoming
      header.passes = passes
      try link.send(header, Self.echo)
    }
    let batch = try socket.read()
    let result = writer.reinject(batch)
    #expect(result.written == 2 && result.refused == 1 && result.lastError?.code == ELOOP)
    #expect(link.receive()?[11] == 1 && link.receive()?[11] == 2 && link.receive() == nil)
  }

  @Test func `a host that goes ends the reading`() throws {
    var socket = try open()
    link.hangUp()
    let error = #expect(throws: SystemError.self) { _ = try socket.read().count }
    #expect(error?.code == ENETDOWN)
  }

  @Test func `a closed socket's writer writes nothing`() throws {
    let socket = try open()
    let writer = socket.writer
    socket.close()
    let error = #expect(throws: SystemError.self) { try writer.reinject(Self.echo, as: .outgoing()) }
    #expect(error?.code == EBADF)
  }

  @Test func `without divertd there is an error that says so`() throws {
    let error = #expect(throws: SystemError.self) { _ = try DivertSocket(port: 2000).port }
    #expect(error.map { "\($0)" }?.contains("divertd") == true)
  }
}
