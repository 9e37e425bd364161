import CSystem
import Glibc

/// A conversation with the kernel over netlink(7): requests, dumps, and messages it sends by itself.
package struct NetlinkSocket: ~Copyable, Sendable {
  package let descriptor: Descriptor

  /// - Parameters:
  ///   - protocolNumber: NETLINK_ROUTE (0) or NETLINK_SOCK_DIAG (4).
  ///   - groups: multicast groups to hear, as bits (RTMGRP_…).
  package init(protocolNumber: CInt, groups: UInt32 = 0) throws(SystemError) {
    let type = CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
    let descriptor = Descriptor(
      owning: try retrying("open a netlink socket") { socket(AF_NETLINK, type, protocolNumber) })
    if groups != 0 { try Self.join(groups, descriptor) }
    self.descriptor = descriptor
  }

  private static func join(_ groups: UInt32, _ descriptor: borrowing Descriptor) throws(SystemError) {
    let number = descriptor.number
    var address = sockaddr_nl()
    address.nl_family = UInt16(AF_NETLINK)
    address.nl_groups = groups
    _ = try retrying("listen to netlink messages") {
      unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe bind(number, $0, socklen_t(MemoryLayout<sockaddr_nl>.size))
        }
      }
    }
  }

  /// Sends a request for a dump and gives every message of the answer, header left out, to the closure.
  ///
  /// - Returns: Whether the answer is of one moment; if not (NLM_F_DUMP_INTR), something changed meanwhile, and entries
  ///   may be missing.
  @discardableResult
  package func dump(
    type: UInt16, _ body: [UInt8], _ action: String, each: (_ type: UInt16, _ message: RawSpan) -> Void
  ) throws(SystemError) -> Bool {
    // Messages of an earlier dump that was not read to its end have another number.
    let sequence = UInt32.random(in: 1 ... .max)
    var request = [UInt8]()
    request.appendHost(UInt32(16 + body.count))
    request.appendHost(type)
    request.appendHost(UInt16(0x301))  // NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH
    request.appendHost(sequence)
    request.appendHost(UInt32(0))
    request += body
    _ = try retrying(action) {
      unsafe request.withUnsafeBytes { unsafe send(descriptor.number, $0.baseAddress, $0.count, 0) }
    }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    var isConsistent = true
    while true {
      let count = try retrying(action) {
        unsafe buffer.withUnsafeMutableBytes { unsafe recv(descriptor.number, $0.baseAddress, $0.count, 0) }
      }
      let messages = unsafe buffer.span.bytes.extracting(first: count)
      var offset = 0
      while offset + 16 <= count {
        let length = Int(messages.host(at: offset, as: UInt32.self))
        guard length >= 16, offset + length <= count else { break }
        defer { offset += (length + 3) & ~3 }
        guard messages.host(at: offset + 8, as: UInt32.self) == sequence else { continue }
        let kind = messages.host(at: offset + 4, as: UInt16.self)
        // NLM_F_DUMP_INTR
        if messages.host(at: offset + 6, as: UInt16.self) & 0x10 != 0 { isConsistent = false }
        if kind == UInt16(NLMSG_DONE) { return isConsistent }
        if kind == UInt16(NLMSG_ERROR) {
          let code = -messages.host(at: offset + 16, as: Int32.self)
          throw SystemError(action, code: code)
        }
        each(kind, messages.extracting(offset + 16..<offset + length))
      }
    }
  }

  /// Sends a request and waits for its acknowledgement.
  ///
  /// - Parameter flags: Beside NLM_F_REQUEST and NLM_F_ACK.
  package func request(
    type: UInt16, flags: UInt16 = 0, _ body: [UInt8], _ action: @autoclosure () -> String
  ) throws(SystemError) {
    var request = [UInt8]()
    request.appendHost(UInt32(16 + body.count))
    request.appendHost(type)
    request.appendHost(UInt16(1 | 4) | flags)
    request.appendHost(UInt32(1))
    request.appendHost(UInt32(0))
    request += body
    _ = try retrying(action()) {
      unsafe request.withUnsafeBytes { unsafe send(descriptor.number, $0.baseAddress, $0.count, 0) }
    }
    var buffer = [UInt8](repeating: 0, count: 1 << 12)
    let count = try retrying(action()) {
      unsafe buffer.withUnsafeMutableBytes { unsafe recv(descriptor.number, $0.baseAddress, $0.count, 0) }
    }
    // struct nlmsgerr: the error, 0 for an acknowledgement.
    let answer = unsafe buffer.span.bytes.extracting(first: count)
    guard count >= 20, answer.host(at: 4, as: UInt16.self) == UInt16(NLMSG_ERROR) else {
      throw SystemError(action(), code: EPROTO)
    }
    let code = -answer.host(at: 16, as: Int32.self)
    guard code == 0 else { throw SystemError(action(), code: code) }
  }

  /// Dumps name what they want, and the kernel leaves out the rest: a router has a million routes
  /// (NETLINK_GET_STRICT_CHK).
  package func askForFilteredDumps() {
    var on: CInt = 1
    _ = unsafe setsockopt(descriptor.number, 270, 12, &on, socklen_t(MemoryLayout<CInt>.size))
  }

  /// Of the changes of routes only those of local ones are of interest: the kernel passes on no others, whose number has no
  /// limit.
  package func passOverForwardingRoutes() throws(SystemError) {
    // nlmsg_type is 24 or 25 (RTM_NEWROUTE, RTM_DELROUTE), and rtm_type neither RTN_LOCAL nor RTN_ANYCAST: nothing of it.
    let program: [(UInt16, UInt8, UInt8, UInt32)] = [
      (0x30, 0, 0, 4), (0x15, 1, 0, 24), (0x15, 0, 3, 25), (0x30, 0, 0, 23), (0x15, 1, 0, 2), (0x15, 0, 1, 4),
      (0x06, 0, 0, .max), (0x06, 0, 0, 0),
    ]
    var filter = program.map { sock_filter(code: $0.0, jt: $0.1, jf: $0.2, k: $0.3) }
    let number = descriptor.number
    let result = unsafe filter.withUnsafeMutableBufferPointer { filter in
      var attached = unsafe sock_fprog(len: UInt16(filter.count), filter: filter.baseAddress)
      return unsafe setsockopt(
        number, SOL_SOCKET, 26, &attached, socklen_t(MemoryLayout<sock_fprog>.size))  // SO_ATTACH_FILTER
    }
    guard result == 0 else { throw SystemError("listen to changes of local routes") }
  }

  /// Throws away what has come, for readers who only want to know that something changed. That more came than the
  /// socket holds (ENOBUFS) is such a change, too.
  package func drain() {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while unsafe buffer.withUnsafeMutableBytes({
      unsafe recv(descriptor.number, $0.baseAddress, $0.count, CInt(MSG_DONTWAIT))
    }) > 0 || errno == ENOBUFS {}
  }
}

extension RawSpan {
  /// An integer in host byte order, as netlink has them.
  func host<Integer: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Integer.Type) -> Integer {
    unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: Integer.self)
  }

  /// Walks the attributes (struct rtattr: length, type, value, padded to four bytes) from an offset on.
  func eachAttribute(from start: Int, _ each: (_ type: UInt16, _ value: RawSpan) -> Void) {
    var offset = start
    while offset + 4 <= byteCount {
      let length = Int(host(at: offset, as: UInt16.self))
      guard length >= 4, offset + length <= byteCount else { return }
      each(host(at: offset + 2, as: UInt16.self) & 0x3fff, extracting(offset + 4..<offset + length))
      offset += (length + 3) & ~3
    }
  }
}

extension [UInt8] {
  mutating func appendHost<Integer: FixedWidthInteger>(_ value: Integer) {
    unsafe Swift.withUnsafeBytes(of: value) { unsafe append(contentsOf: $0) }
  }

  /// Appends an attribute (struct rtattr), padded to four bytes.
  mutating func appendAttribute(_ type: UInt16, _ value: [UInt8]) {
    appendHost(UInt16(4 + value.count))
    appendHost(type)
    self += value
    append(contentsOf: repeatElement(0, count: (4 - value.count % 4) % 4))
  }

  /// A name as netlink wants it, with a zero at its end.
  mutating func appendAttribute(_ type: UInt16, _ text: String) {
    appendAttribute(type, Array(text.utf8) + [0])
  }
}
