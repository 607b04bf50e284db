"""Where settings come from: the environment, and the files that it names for secrets."""

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from services.kit.process.secret_files import SecretFiles


class EnvironmentSettings(BaseSettings):
    """Settings that are read from the environment; a secret `NAME` also from a file `NAME_FILE`."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        allow_inf_nan=False,
        # Errors must not show secrets.
        hide_input_in_errors=True,
        # The page of settings shows them.
        use_attribute_docstrings=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """See BaseSettings."""
        return init_settings, env_settings, SecretFiles(settings_cls)
