import os

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, get, rmdir

required_conan_version = ">=2.0"


class MinicnnConan(ConanFile):
    name = "minicnn"
    description = "Convolutional networks on multicore CPUs, header-only C++20"
    license = "MIT"
    url = "https://github.com/conan-io/conan-center-index"
    homepage = "https://github.com/minicnn/minicnn"
    topics = ("cnn", "deep-learning", "alexnet", "image-classification")
    package_type = "static-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"with_openmp": [True, False], "with_image": [True, False], "fPIC": [True, False]}
    default_options = {"with_openmp": True, "with_image": True, "fPIC": True}

    def layout(self):
        cmake_layout(self, src_folder="src")

    def configure(self):
        if not self.options.with_image:
            self.options.rm_safe("fPIC")
            self.package_type = "header-library"

    def package_id(self):
        if not self.info.options.get_safe("with_image"):
            self.info.clear()

    def requirements(self):
        if self.options.with_image:
            self.requires("stb/cci.20230920", headers=True, libs=False, visible=False)

    def validate(self):
        check_min_cppstd(self, 20)

    def source(self):
        get(self, **self.conan_data["sources"][self.version], strip_root=True)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["MINICNN_OPENMP"] = bool(self.options.with_openmp)
        toolchain.cache_variables["MINICNN_IMAGE"] = bool(self.options.with_image)
        for part in ("EXAMPLES", "TESTS", "BENCH"):
            toolchain.cache_variables[f"MINICNN_BUILD_{part}"] = False
        if self.options.with_image:
            include = self.dependencies["stb"].cpp_info.includedirs[0]
            toolchain.cache_variables["MINICNN_STB_INCLUDE_DIR"] = include.replace("\\", "/")
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", src=self.source_folder, dst=os.path.join(self.package_folder, "licenses"))
        CMake(self).install()
        # CMakeDeps writes these for the consumer.
        rmdir(self, os.path.join(self.package_folder, "lib", "cmake"))
        rmdir(self, os.path.join(self.package_folder, "lib", "pkgconfig"))

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "minicnn")
        headers = self.cpp_info.components["headers"]
        headers.set_property("cmake_target_name", "minicnn::minicnn")
        headers.set_property("pkg_config_name", "minicnn")
        headers.bindirs = []
        headers.libdirs = []
        if self.options.with_openmp:
            headers.cxxflags = headers.sharedlinkflags = headers.exelinkflags = ["-fopenmp"]
        if self.options.with_image:
            image = self.cpp_info.components["image"]
            image.set_property("cmake_target_name", "minicnn::image")
            image.set_property("pkg_config_name", "minicnn-image")
            image.libs = ["minicnn_image"]
            image.requires = ["headers", "stb::stb"]
